import { runsQuerySchema } from '@runlog/schema/http/gateway-api';
import { runGroupFieldSchema, runSortSchema, runStateSchema } from '@runlog/schema/run/snapshot';
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

  it('begins with the runs that need somebody, as they are now, if it is sorted by state', () => {
    const { ids } = setUp([
      { agoMs: 5_000 },
      {},
      { agoMs: 61_000 },
      { eventType: 'RUN_HEARTBEAT', agoMs: 61_000 },
      { eventType: 'RUN_FINISHED' },
      { eventType: 'RUN_FAILED', agoMs: 61_000 },
    ]);
    expect(ids({ sort: 'state' })).toEqual(['r5', 'r3', 'r2', 'r1', 'r0', 'r4']);
    expect(ids({ sort: '-state', status: 'running,finished' })).toEqual(['r4', 'r1', 'r0']);
  });

  it('takes runs by a part of their task, and by conditions on their figures', () => {
    const batch = (task: string, avg_accuracy: number) => ({
      eventType: 'BATCH_EPOCH_COMPLETED',
      data: { task, avg_accuracy },
    });
    const { runs, ids } = setUp([batch('', 70), batch('', 85), batch('', 90), {}]);
    runs.append('c1/r2/default', [{ eventType: 'TRAINING_STARTED', data: { task: 'CIFAR-10' } }]);
    expect(ids({ task: 'cifar' })).toEqual(['r2']);
    expect(ids({ where: 'accuracy>=85', sort: 'run_id' })).toEqual(['r1', 'r2']);
    expect(ids({ where: 'accuracy>=85,attempt=0', sort: 'run_id' })).toEqual(['r1']);
    expect(ids({ where: 'accuracy>90' })).toEqual([]);
  });

  it.each([
    ['where', 'acc>80', 'there is no field "acc" to compare; there are accuracy,'],
    ['where', 'accuracy>80,missing', '"missing" compares nothing'],
    ['where', Array.from({ length: 9 }, () => 'missing=0').join(','), '<=8 items'],
    ['group_by', 'run_id', 'expected one of "cluster_id"|"task_name"|"state"'],
  ])('refuses %s=%s', (name, value, message) => {
    const { error } = runsQuerySchema.safeParse({ [name]: value });
    expect(error?.issues[0]?.path[0]).toBe(name);
    expect(error?.issues[0]?.message).toContain(message);
  });

  it('tells the groups of all pages, in order', () => {
    const task = (name: string) => ({ eventType: 'TRAINING_STARTED', data: { task: name } });
    const { list } = setUp([task('y'), {}, task('x'), { ...task('y'), agoMs: 61_000 }]);
    const grouped = list({ group_by: 'task_name', sort: 'run_id', limit: '2' });
    expect(grouped.runs.map((row) => row.run_id)).toEqual(['r2', 'r0']);
    const groups = [
      ['x', 1],
      ['y', 2],
      [null, 1],
    ];
    expect(grouped).toMatchObject({ total: 4, groups });
    const rest = list({ group_by: 'task_name', sort: 'run_id', limit: '2', cursor: grouped.next! });
    expect(rest.runs.map((row) => row.run_id)).toEqual(['r3', 'r1']);
    expect(rest.groups).toEqual(groups);
    expect(list({ group_by: 'state' }).groups).toEqual([
      ['quiet', 1],
      ['running', 3],
    ]);
    expect(list({}).groups).toBeUndefined();
  });

  it('tells 200 groups at most', () => {
    const { list } = setUp(
      Array.from({ length: 210 }, (_, at) => ({ eventType: 'TRAINING_STARTED', data: { task: `t${at}` } })),
    );
    const { total, groups } = list({ group_by: 'task_name' });
    expect([total, groups?.length]).toEqual([210, 200]);
  });

  it('shows the newest accuracies of each run', () => {
    const { list } = setUp([{ data: { val_accuracy: 12.5 } }, { eventType: 'RUN_HEARTBEAT' }]);
    expect(list({ sort: 'run_id' }).runs.map((row) => row.spark)).toEqual([[12.5], []]);
  });

  it('pages through every run once, for any sort and groups', () => {
    const { list } = setUp(Array.from({ length: 23 }, (_, at) => ({ agoMs: (at % 3) * 40_000 })));
    const sorts = fc.constantFrom(...runSortSchema.options);
    const groups = fc.constantFrom(undefined, ...runGroupFieldSchema.options);
    fc.assert(
      fc.property(sorts, groups, fc.integer({ min: 1, max: 9 }), (sort, group_by, size) => {
        const asked = { sort, ...(group_by === undefined ? {} : { group_by }) };
        const ids: string[] = [];
        let cursor: string | null = null;
        do {
          const page = list({ ...asked, limit: String(size), ...(cursor === null ? {} : { cursor }) });
          ids.push(...page.runs.map((row) => row.run_id));
          cursor = page.next;
        } while (cursor !== null);
        expect(ids).toEqual(list(asked).runs.map((row) => row.run_id));
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
    ['task', { task: 'cifar' }],
    ['where', { where: 'missing=0' }],
    ['group_by', { group_by: 'state' }],
  ])('refuses a cursor of another %s by name', (name, query) => {
    const { list } = setUp([{}, {}]);
    const { next } = list({ limit: '1' });
    expect(() => list({ ...query, cursor: next! })).toThrow(`cursor belongs to another ${name}`);
  });

  it('takes a cursor of the same filters, however they are written', () => {
    const { list, ids } = setUp([{}, {}]);
    const { next } = list({ limit: '1', q: 'C1', status: 'running,quiet', where: 'missing=0,events>=1' });
    const same = { q: 'c1', status: 'quiet,running', where: 'events >= 1.0,missing=0' };
    expect(ids({ ...same, cursor: next! })).toHaveLength(1);
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
    const query: Record<string, string> = { sort: 'task_name', group_by: 'task_name', limit: '1', q: 'c1' };
    const { next } = list(query);
    expect(list({ ...query, cursor: next! }).runs).toMatchObject([{ run_id: 'b' }]);
  });
});
