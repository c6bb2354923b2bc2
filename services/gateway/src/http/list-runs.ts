import { createHash } from 'node:crypto';
import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { rowOf } from '@runlog/run-state/delivery';
import { conditionOf } from '@runlog/run-state/run-condition';
import { type RunPlace, runOrder } from '@runlog/run-state/run-order';
import type { RunsPage, RunsQuery } from '@runlog/schema/http/gateway-api';
import { compileGlob } from '@runlog/schema/run/run-glob';
import type { RunHead } from '@runlog/schema/run/snapshot';
import { HttpFault } from '@runlog/service-kit/http-server';
import { z } from 'zod';
import { runTextMatch } from '../fan-out/run-text-match.ts';

/** What the list is made from. It wakes no run and no figures. */
interface ListedRuns {
  readonly states: Pick<ReadonlyRunStates, 'heads'>;
  readonly figures: Pick<ReadonlyFigureStates, 'spark'>;
}

interface FoundRun extends RunPlace {
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
  const order = runOrder(query.sort);
  const after = query.cursor === undefined ? null : readCursor(query.cursor, query);
  const isWanted = filterOf(query, nowMs);
  const found: FoundRun[] = [];
  for (const [key, head] of states.heads()) {
    if (isWanted(key, head) && maySee(key)) found.push({ key, head, value: order.valueOf(head) });
  }
  found.sort(order.compare);
  const next = after === null ? 0 : found.findIndex((run) => order.compare(run, after) > 0);
  const from = next === -1 ? found.length : next;
  const page = found.slice(from, from + query.limit);
  const last = page.at(-1);
  return {
    runs: page.map(({ key, head }) => rowOf(head, { nowMs, spark: figures.spark(key) })),
    total: found.length,
    next: last !== undefined && from + page.length < found.length ? writeCursor(last, query) : null,
  };
}

function filterOf(query: RunsQuery, nowMs: number): (key: string, head: RunHead) => boolean {
  const { cluster, status } = query;
  const hasText = runTextMatch(query.q);
  const glob = query.run === undefined ? undefined : compileGlob(query.run);
  const ofWholeKey = query.run?.includes('/') ?? false;
  return (key, head) =>
    (cluster === undefined || head.cluster_id === cluster) &&
    (glob === undefined || glob(ofWholeKey ? key : head.run_id)) &&
    hasText(key, head.task_name) &&
    (status === undefined || status.includes(conditionOf(head, nowMs).state));
}

/** Where a page ended: the last run's sort value and key. It belongs to the sort and the filters of its list. */
const cursorSchema = z.strictObject({
  value: z.union([z.string(), z.number(), z.null()]),
  key: z.string(),
  of: z.strictObject({
    sort: z.string(),
    cluster: z.string(),
    run: z.string(),
    status: z.string(),
    q: z.string(),
  }),
});
type Cursor = z.infer<typeof cursorSchema>;

function writeCursor({ value, key }: RunPlace, query: RunsQuery): string {
  const cursor: Cursor = { value, key, of: listAskedFor(query) };
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
function listAskedFor({ sort, cluster, run, status, q }: RunsQuery): Cursor['of'] {
  return {
    sort,
    cluster: digest(cluster),
    run: digest(run),
    status: [...new Set(status)].sort().join(' '),
    q: digest(q?.toLowerCase()),
  };
}

function digest(text: string | undefined): string {
  return text === undefined ? '' : createHash('sha256').update(text).digest('base64url').slice(0, 12);
}
