import type { RunsPage } from '@runlog/schema/http/gateway-api';
import { formatRunKey, parseRunKey } from '@runlog/schema/run/run-key';
import type { Connection } from '../shell/connection.ts';

const GROUPS_MAX = 50;

/** Asks for the keys of all groups of a run, its own too, in the order of their names. Null if nobody says. */
export async function groupsOf(
  key: string,
  { connection, signal }: { connection: Connection; signal: AbortSignal },
): Promise<readonly string[] | null> {
  const run = parseRunKey(key);
  if (run === null) return null;
  const { cluster_id: cluster, run_id: id } = run;
  const query = { cluster, run: id, sort: 'group_id', limit: GROUPS_MAX };
  const answer = await connection.ask<RunsPage>('v1/runs', { query, signal });
  if (answer.kind !== 'ok') return null;
  return answer.body.runs
    .filter((row) => row.cluster_id === cluster && row.run_id === id)
    .map((row) => formatRunKey(row));
}

/** Returns the run beside one: the one that the address names, else the next group of the same run, the first after the last. */
export function otherKeyOf(
  key: string,
  { named, groups }: { readonly named: string | null; readonly groups: readonly string[] },
): string | null {
  if (named !== null) return named === key ? null : named;
  const others = groups.filter((each) => each !== key);
  return others.find((each) => each > key) ?? others[0] ?? null;
}
