import { formatRunKey, parseRunKey } from '@runlog/schema/run/run-key';

/** The groups of a run that are compared with each other unless somebody says otherwise. */
const counterparts: Readonly<Record<string, string>> = { A: 'B', B: 'A', a: 'b', b: 'a' };

/** Returns the key of the group that a run's own is compared with by its name: A with B; null for any other. */
export function counterpartOf(key: string): string | null {
  const run = parseRunKey(key);
  const group = run === null ? undefined : counterparts[run.group_id];
  return run === null || group === undefined ? null : formatRunKey({ ...run, group_id: group });
}

/** Returns the run beside one: the one that the address names, else the other group if there is one. */
export function otherKeyOf(
  key: string,
  { named, counterpart }: { named: string | null; counterpart: string | null },
): string | null {
  const other = named ?? counterpart;
  return other === key ? null : other;
}
