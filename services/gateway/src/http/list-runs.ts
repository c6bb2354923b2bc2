import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { rowOf } from '@runlog/run-state/delivery';
import { instantOf } from '@runlog/schema/events/instant';
import type { RunsPage } from '@runlog/schema/http/gateway-api';
import { RUNS_PAGE_DEFAULT, RUNS_PAGE_MAX } from '@runlog/schema/limits';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { type RunHead, type RunSortField, runSortFields, runStatusSchema } from '@runlog/schema/run/snapshot';
import { z } from 'zod';

/** The value that each sort field compares. A leading `-` means descending. */
const sortValues = {
  last_received_at: (state: RunHead) => state.last_received_at,
  cluster_id: (state: RunHead) => state.cluster_id,
  run_id: (state: RunHead) => state.run_id,
  group_id: (state: RunHead) => state.group_id,
  status: (state: RunHead) => state.status,
  task_name: (state: RunHead) => state.task_name,
  started_at: (state: RunHead) => (state.started_at === null ? null : instantOf(state.started_at)),
  events: (state: RunHead) => state.total_events_received,
  duplicates: (state: RunHead) => state.duplicates,
  missing: (state: RunHead) => state.missing,
  episode: (state: RunHead) => state.current_episode,
  batch: (state: RunHead) => state.current_batch,
  accuracy: (state: RunHead) => state.batch_avg_accuracy,
  reward: (state: RunHead) => state.batch_avg_reward,
} as const satisfies Record<RunSortField, (state: RunHead) => SortValue>;

type SortValue = string | number | null;
const text = z.string().max(256);

/** The query of `GET /v1/runs`. */
export const runsQuerySchema = z.strictObject({
  cluster: text.optional(),
  /** A glob over the run's id, or over the whole key if the glob contains a slash. */
  run: text.optional(),
  status: runStatusSchema.optional(),
  /** A part of the key or of the task's name, in upper or lower case. */
  q: text.optional(),
  sort: z
    .string()
    .refine((sort) => runSortFields.includes(sort.replace(/^-/, '') as RunSortField), {
      error: `must be one of ${runSortFields.join(', ')}, with a leading - for descending`,
    })
    .default('-last_received_at'),
  limit: z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= RUNS_PAGE_MAX, `must be from 1 to ${RUNS_PAGE_MAX}`)
    .default(RUNS_PAGE_DEFAULT),
  cursor: z.string().max(1_024).transform(readCursor).optional(),
});

export type RunsQuery = z.infer<typeof runsQuerySchema>;

/** Where a page ended: the last run's sort value and key. */
const cursorSchema = z.tuple([z.union([z.string(), z.number(), z.null()]), z.string()]);
type Cursor = z.infer<typeof cursorSchema>;

/**
 * Returns one page of runs. `next` continues after this page's last run, by the sort value that it has now. So runs
 * that move meanwhile may be seen twice or not at all; runs that do not move are seen exactly once.
 */
export function listRuns(
  states: Pick<ReadonlyRunStates, 'heads'>,
  query: RunsQuery,
  at: { nowMs: number; maySee: (key: string) => boolean },
): RunsPage {
  const descending = query.sort.startsWith('-');
  const sortValueOf = sortValues[query.sort.replace(/^-/, '') as RunSortField];
  const isWanted = filterOf(query);
  const found: { key: string; value: SortValue; state: RunHead }[] = [];
  for (const [key, state] of states.heads())
    if (isWanted(key, state) && at.maySee(key)) found.push({ key, value: sortValueOf(state), state });
  const order = (a: { key: string; value: SortValue }, b: { key: string; value: SortValue }) =>
    compareValues(a.value, b.value, descending) || compareValues(a.key, b.key, false);
  found.sort(order);
  const { cursor } = query;
  let from = 0;
  if (cursor !== undefined) {
    const [value, key] = cursor;
    from = found.findIndex((run) => order(run, { key, value }) > 0);
    if (from === -1) from = found.length;
  }
  const page = found.slice(from, from + query.limit);
  const last = page.at(-1);
  return {
    runs: page.map(({ state }) => rowOf(state, { nowMs: at.nowMs, spark: [] })),
    total: found.length,
    next:
      last !== undefined && from + page.length < found.length ? writeCursor([last.value, last.key]) : null,
  };
}

function filterOf(query: RunsQuery): (key: string, state: RunHead) => boolean {
  const { cluster, status } = query;
  const part = query.q?.toLowerCase();
  const glob = query.run === undefined ? undefined : compileGlob(query.run);
  const ofWholeKey = query.run?.includes('/') ?? false;
  return (key, state) =>
    (cluster === undefined || state.cluster_id === cluster) &&
    (status === undefined || state.status === status) &&
    (glob === undefined || glob(ofWholeKey ? formatRunKey(state) : state.run_id)) &&
    (part === undefined ||
      key.toLowerCase().includes(part) ||
      (state.task_name?.toLowerCase().includes(part) ?? false));
}

/** Unknown values come last, whatever the direction. */
function compareValues(a: SortValue, b: SortValue, descending: boolean): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b === descending ? 1 : -1;
}

function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function readCursor(sent: string, context: z.RefinementCtx): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(sent, 'base64url').toString('utf8')));
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a cursor that this service issued' });
    return z.NEVER;
  }
}
