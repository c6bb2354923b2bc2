import { z } from 'zod';

/** What is looked at, in the order in which it is told. */
export const GROUPS = [
  'configuration',
  'reachability',
  'folder',
  'versions',
  'topics',
  'permissions',
  'clock',
  'codecs',
  'keys',
  'transactions',
  'probe',
] as const;
export type Group = (typeof GROUPS)[number];

const findingSchema = z.strictObject({
  group: z.enum(GROUPS),
  /** What was looked at. */
  name: z.string().min(1),
  status: z.enum(['ok', 'warning', 'failed', 'skipped']),
  message: z.string().min(1),
  /** Commands, one after the other. */
  remedy: z.array(z.string().min(1)).min(1).optional(),
  details: z.record(z.string(), z.json()).optional(),
});

export const reportSchema = z.strictObject({
  /** Whether nothing has failed. */
  ok: z.boolean(),
  summary: z.strictObject({
    ok: z.int(),
    warnings: z.int(),
    failed: z.int(),
    skipped: z.int(),
  }),
  checks: z.array(findingSchema),
});

/** One thing that was looked at, and what was found. */
export type Finding = z.infer<typeof findingSchema>;
export type Status = Finding['status'];
export type Report = z.infer<typeof reportSchema>;

/** What a finding has beside its place and its message. */
type More = Pick<Finding, 'remedy' | 'details'>;
type Said = (name: string, message: string, more?: More) => Finding;

/** Returns functions that make the findings of a group. */
export function findingsOf(group: Group): Readonly<Record<Status, Said>> {
  const said =
    (status: Status): Said =>
    (name, message, more = {}) => ({ group, name, status, message, ...more });
  return { ok: said('ok'), warning: said('warning'), failed: said('failed'), skipped: said('skipped') };
}

/** Sorts the findings into their groups and counts them. */
export function reportOf(findings: readonly Finding[]): Report {
  const checks = GROUPS.flatMap((group) => findings.filter((finding) => finding.group === group));
  const count = (status: Status) => checks.filter((finding) => finding.status === status).length;
  const summary = {
    ...{ ok: count('ok'), warnings: count('warning') },
    ...{ failed: count('failed'), skipped: count('skipped') },
  };
  return { ok: summary.failed === 0, summary, checks };
}
