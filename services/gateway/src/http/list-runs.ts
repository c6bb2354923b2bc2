import { createHash } from 'node:crypto';
import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { rowOf } from '@runlog/run-state/delivery';
import { conditionOf } from '@runlog/run-state/run-condition';
import { type RunOrder, type RunPlace, runOrder } from '@runlog/run-state/run-order';
import type { RunsPage, RunsQuery } from '@runlog/schema/http/gateway-api';
import { RUN_GROUPS_MAX } from '@runlog/schema/limits';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { compileWhere } from '@runlog/schema/run/run-where';
import type { RunHead, RunState } from '@runlog/schema/run/snapshot';
import { HttpFault } from '@runlog/service-kit/http-server';
import { z } from 'zod';
import { runNameMatch } from '../fan-out/run-name-match.ts';

/** What the list is made from. It wakes no run and no figures. */
interface ListedRuns {
  readonly states: Pick<ReadonlyRunStates, 'heads'>;
  readonly figures: Pick<ReadonlyFigureStates, 'spark'>;
}

interface FoundRun {
  readonly place: RunPlace;
  readonly head: RunHead;
}

/**
 * Returns one page of runs. `next` continues after this page's last run, by the sort value that it has now. So runs
 * that move meanwhile may be seen twice or not at all; runs that do not move are seen exactly once.
 */
export function listRuns(
  { states, figures }: ListedRuns,
  query: RunsQuery,
  at: { nowMs: number; maySee: (key: string) => boolean },
): RunsPage {
  const { nowMs, maySee } = at;
  const order = runOrder(query.sort, query.group_by);
  const after = query.cursor === undefined ? null : readCursor(query.cursor, query);
  const found = findRuns(states, { query, nowMs, maySee, order });
  const next = after === null ? 0 : found.findIndex(({ place }) => order.compare(place, after) > 0);
  const from = next === -1 ? found.length : next;
  const page = found.slice(from, from + query.limit);
  const last = page.at(-1);
  return {
    runs: page.map(({ place, head }) => rowOf(head, { nowMs, spark: figures.spark(place.key) })),
    total: found.length,
    ...(query.group_by === undefined ? {} : { groups: groupsOf(found) }),
    next: last !== undefined && from + page.length < found.length ? writeCursor(last.place, query) : null,
  };
}

/** Returns the runs that a query asks for, in order. */
function findRuns(
  states: ListedRuns['states'],
  by: { query: RunsQuery; nowMs: number; maySee: (key: string) => boolean; order: RunOrder },
): FoundRun[] {
  const { query, nowMs, maySee, order } = by;
  const { status } = query;
  const isWanted = filterOf(query);
  // Judging a run costs more than all else that is done for it, so it is done only if somebody asks for its state.
  const isJudged = status !== undefined || order.usesState;
  const found: FoundRun[] = [];
  for (const [key, head] of states.heads()) {
    if (!isWanted(key, head) || !maySee(key)) continue;
    const state: RunState = isJudged ? conditionOf(head, nowMs).state : 'running';
    if (status === undefined || status.includes(state)) {
      found.push({ place: order.placeOf(key, head, state), head });
    }
  }
  return found.sort((left, right) => order.compare(left.place, right.place));
}

/** Counts the runs of each group. Those of one group are side by side. */
function groupsOf(found: readonly FoundRun[]): NonNullable<RunsPage['groups']> {
  const groups: NonNullable<RunsPage['groups']> = [];
  for (const { place } of found) {
    const last = groups.at(-1);
    if (last?.[0] === place.group) last[1] += 1;
    else if (groups.length === RUN_GROUPS_MAX) break;
    else groups.push([place.group, 1]);
  }
  return groups;
}

function filterOf(query: RunsQuery): (key: string, head: RunHead) => boolean {
  const { cluster } = query;
  const hasNames = runNameMatch(query);
  const meets = compileWhere(query.where)?.test;
  const glob = query.run === undefined ? undefined : compileGlob(query.run);
  const ofWholeKey = query.run?.includes('/') ?? false;
  return (key, head) =>
    (cluster === undefined || head.cluster_id === cluster) &&
    (glob === undefined || glob(ofWholeKey ? key : head.run_id)) &&
    hasNames(key, head.task_name) &&
    (meets === undefined || meets(head));
}

/** Where a page ended: the last run's group, sort value and key. It belongs to the sort and the filters of its list. */
const cursorSchema = z.strictObject({
  group: z.string().nullable(),
  value: z.union([z.string(), z.number(), z.null()]),
  key: z.string(),
  of: z.strictObject({
    sort: z.string(),
    cluster: z.string(),
    run: z.string(),
    status: z.string(),
    q: z.string(),
    task: z.string(),
    where: z.string(),
    group_by: z.string(),
  }),
});
type Cursor = z.infer<typeof cursorSchema>;

function writeCursor(place: RunPlace, query: RunsQuery): string {
  const cursor: Cursor = { ...place, of: listAskedFor(query) };
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function readCursor(sent: string, query: RunsQuery): RunPlace {
  let cursor: Cursor;
  try {
    cursor = cursorSchema.parse(JSON.parse(Buffer.from(sent, 'base64url').toString('utf8')));
  } catch {
    throw new HttpFault('invalid_query', 'cursor is not one that this service issued');
  }
  const list = listAskedFor(query);
  const others = (Object.keys(list) as (keyof Cursor['of'])[]).filter(
    (name) => list[name] !== cursor.of[name],
  );
  if (others.length > 0)
    throw new HttpFault('invalid_query', `cursor belongs to another ${others.join(', ')}`);
  return cursor;
}

/** Names the list that a query asks for, briefly. */
function listAskedFor({ sort, cluster, run, status, q, task, where, group_by }: RunsQuery): Cursor['of'] {
  return {
    sort,
    cluster: digest(cluster),
    run: digest(run),
    status: [...new Set(status)].sort().join(' '),
    q: digest(q?.toLowerCase()),
    task: digest(task?.toLowerCase()),
    where: digest(compileWhere(where)?.name),
    group_by: group_by ?? '',
  };
}

function digest(text: string | undefined): string {
  return text === undefined ? '' : createHash('sha256').update(text).digest('base64url').slice(0, 12);
}
