import { runsQuerySchema } from '@runlog/schema/http/gateway-api';
import { runSortSchema, runStateSchema } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MadeUpEvent, MadeUpRuns } from '../made-up/made-up-runs.ts';
import { listRuns } from './list-runs.ts';

const NOW_MS = Date.UTC(2026, 0, 4);

/** Makes runs `c1/r0/default`, `c1/r1/default` and so on, of one event each. */
function setUp(events: readonly (MadeUpEvent & { agoMs?: number })[]) {
  const runs = new MadeUpRuns();
  for (const [at, { agoMs = 0, ...event }] of events.entries()) {
    runs.append(`c1/r${at}/default`, [{ ...event, receivedAtMs: NOW_MS - agoMs }]);
  }
  const list = (query: Record<string, string>) =>
    listRuns(runs, runsQuerySchema.parse(query), { nowMs: NOW_MS, maySee: () => true });
  return { runs, list, ids: (query: Record<string, string>) => list(query).runs.map((row) => row.run_id) };
}

describe('the list of runs', () => {
  it('takes one state or several, as they are now', () => {
    const { ids } = setUp([
      {},
      { agoMs: 61_000 },
      { eventType: 'RUN_HEARTBEAT', agoMs: 61_000 },
      { eventType: 'RUN_FINISHED', agoMs: 61_000 },
      { eventType: 'RUN_FAILED', agoMs: 61_000 },
    ]);
    for (const [at, status] of runStateSchema.options.entries()) expect(ids({ status })).toEqual([`r${at}`]);
    expect(ids({ status: 'failed,quiet', sort: 'run_id' })).toEqual(['r1', 'r4']);
  });

  it('refuses a state that there is not', () => {
    expect(runsQuerySchema.safeParse({ status: 'running,odd' }).success).toBe(false);
    expect(runsQuerySchema.safeParse({ status: '' }).success).toBe(false);
  });

  it('shows the newest accuracies of each run', () => {
    const { list } = setUp([{ data: { val_accuracy: 12.5 } }, { eventType: 'RUN_HEARTBEAT' }]);
    expect(list({ sort: 'run_id' }).runs.map((row) => row.spark)).toEqual([[12.5], []]);
  });

  it('pages through every run once, for any sort', () => {
    const { list } = setUp(Array.from({ length: 23 }, (_, at) => ({ agoMs: (at % 3) * 1_000 })));
    fc.assert(
      fc.property(fc.constantFrom(...runSortSchema.options), fc.integer({ min: 1, max: 9 }), (sort, size) => {
        const ids: string[] = [];
        let cursor: string | null = null;
        do {
          const page = list({ sort, limit: String(size), ...(cursor === null ? {} : { cursor }) });
          ids.push(...page.runs.map((row) => row.run_id));
          cursor = page.next;
        } while (cursor !== null);
        expect(ids).toEqual(list({ sort }).runs.map((row) => row.run_id));
        expect(new Set(ids).size).toBe(23);
      }),
    );
  });

  it.each<[name: string, query: Record<string, string>]>([
    ['sort', { sort: '-started_at' }],
    ['cluster', { cluster: 'c2' }],
    ['run', { run: 'r*' }],
    ['status', { status: 'running,quiet' }],
    ['q', { q: 'r1' }],
    ['sort, q', { sort: 'run_id', q: 'r1' }],
  ])('refuses a cursor of another %s by name', (name, query) => {
    const { list } = setUp([{}, {}]);
    const { next } = list({ limit: '1' });
    expect(() => list({ ...query, cursor: next! })).toThrow(`cursor belongs to another ${name}`);
  });

  it('takes a cursor of the same filters, however they are written', () => {
    const { list, ids } = setUp([{}, {}]);
    const { next } = list({ limit: '1', q: 'C1', status: 'running,quiet' });
    expect(ids({ q: 'c1', status: 'quiet,running', cursor: next! })).toHaveLength(1);
  });

  it.each(['', '%%%', 'YWJj', Buffer.from('["x","c1/r1/default"]').toString('base64url')])(
    'refuses "%s" as a cursor',
    (cursor) => {
      expect(() => setUp([{}]).list({ cursor })).toThrow('cursor is not one that this service issued');
    },
  );

  it('writes cursors that it reads, whatever the runs are called', () => {
    const { runs, list } = setUp([]);
    const task = '\u0001'.repeat(256);
    for (const run of ['a', 'b']) {
      runs.append(`c1/${run}/default`, [{ eventType: 'TRAINING_STARTED', data: { task } }]);
    }
    const query: Record<string, string> = { sort: 'task_name', limit: '1', q: 'c1' };
    const { next } = list(query);
    expect(list({ ...query, cursor: next! }).runs).toMatchObject([{ run_id: 'b' }]);
  });
});
