import { IndexWindow } from '@runlog/client/index-window';
import { rowOf } from '@runlog/run-state/delivery';
import { conditionOf } from '@runlog/run-state/run-condition';
import { runOrder } from '@runlog/run-state/run-order';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { RUN_SORT_DEFAULT } from '@runlog/schema/run/run-sorting';
import { compileWhere } from '@runlog/schema/run/run-where';
import {
  type RunRow,
  type RunState,
  runGroupFieldSchema,
  runSortSchema,
  runStateSchema,
} from '@runlog/schema/run/snapshot';
import type { ServerFrameFields, StateCounts } from '@runlog/schema/stream/server-frames';
import type { IndexSubscription as AskedView } from '@runlog/schema/stream/subscriptions';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everyone, type Viewer } from '../access.ts';
import { type MadeUpEvent, MadeUpRuns } from '../made-up/made-up-runs.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import type { EncodedFrame } from './encoded-frame.ts';
import { type IndexListener, type IndexSubscription, IndexViews } from './index-views.ts';

const START_MS = Date.UTC(2026, 0, 4);

/** A client of one view. It takes frames only while it is told to. */
class TestClient implements IndexListener {
  readonly window: IndexWindow;
  readonly frames: ServerFrameFields[] = [];
  readonly asked: AskedView;
  isSlow = false;
  readonly #views: IndexViews;
  readonly #subscription: IndexSubscription;
  #isOwed = false;

  constructor(views: IndexViews, of: { asked: AskedView; viewer?: Viewer }) {
    this.asked = of.asked;
    this.window = new IndexWindow(of.asked);
    this.#views = views;
    const glob = of.asked.ch.slice('runs:'.length);
    this.#subscription = views.attach({ glob, asked: of.asked, viewer: of.viewer ?? everyone }, this);
    this.#receive(views.join(this.#subscription, 7));
  }

  deliver(frame: EncodedFrame): boolean {
    if (this.isSlow) this.#isOwed = true;
    else this.#receive(frame);
    return !this.isSlow;
  }

  read(): void {
    this.isSlow = false;
    if (!this.#isOwed) return;
    this.#isOwed = false;
    const step = this.#views.catchUp(this.#subscription);
    if (step !== null) this.#receive(step);
  }

  leave(): void {
    this.#views.detach(this.#subscription);
  }

  #receive({ text }: EncodedFrame): void {
    const frame = JSON.parse(text) as ServerFrameFields;
    this.frames.push(frame);
    const { rows, gone, total, counts, groups } = frame;
    this.window.receive({
      ...{ rows: rows!, total: total!, counts: counts! },
      ...(gone === undefined ? {} : { gone }),
      ...(groups === undefined ? {} : { groups }),
    });
  }
}

function setUp() {
  const runs = new MadeUpRuns();
  const clock = new ManualClock(START_MS);
  const views = new IndexViews({ states: runs.states, figures: runs.figures, clock });
  const append = (run: string, events: readonly MadeUpEvent[] = [{}]) => {
    const now = events.map((event) => ({ receivedAtMs: clock.now(), ...event }));
    views.touch([runs.append(keyOf(run), now)]);
  };
  const retire = (run: string) => views.touch([runs.retire(keyOf(run))]);
  const join = (asked: Partial<AskedView> = {}, viewer?: Viewer) =>
    new TestClient(views, { asked: { ch: 'runs:*', ...asked }, ...(viewer === undefined ? {} : { viewer }) });
  return { runs, clock, views, append, retire, join };
}

const keyOf = (run: string) => `c1/${run}/default`;
const idsOf = (client: TestClient) => client.window.rows.map((row) => row.run_id);
const counts = (of: Partial<StateCounts>): StateCounts => ({
  ...{ running: 0, quiet: 0, lost_contact: 0, finished: 0, failed: 0 },
  ...of,
});

describe('an index view', () => {
  it('shows a window, and says only what changes in it', () => {
    const { clock, append, join } = setUp();
    for (const run of ['a', 'b', 'c']) append(run);
    const client = join({ sort: 'run_id', limit: 2 });
    expect(client.frames[0]).toMatchObject({ id: 7, ch: 'runs:*', total: 3, counts: counts({ running: 3 }) });
    expect(idsOf(client)).toEqual(['a', 'b']);
    append('b');
    clock.advance(1_000);
    expect(client.frames[1]).toMatchObject({ rows: [{ run_id: 'b' }], gone: [], total: 3 });
    append('c');
    clock.advance(2_000);
    expect(client.frames).toHaveLength(2);
  });

  it('says which rows left the window, and which came in for them', () => {
    const { clock, append, retire, join } = setUp();
    for (const run of ['b', 'c', 'd']) append(run);
    const client = join({ sort: 'run_id', limit: 2 });
    append('a');
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ rows: [{ run_id: 'a' }], gone: [keyOf('c')], total: 4 });
    retire('a');
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ rows: [{ run_id: 'c' }], gone: [keyOf('a')], total: 3 });
  });

  it('says totals and counts also when they change outside the window', () => {
    const { clock, append, retire, join } = setUp();
    for (const run of ['a', 'b', 'c']) append(run);
    const client = join({ sort: 'run_id', limit: 1, status: ['running'] });
    append('c', [{ eventType: 'RUN_FAILED' }]);
    clock.advance(1_000);
    const { frames } = client;
    expect(frames.at(-1)).toMatchObject({ rows: [], total: 2, counts: counts({ running: 2, failed: 1 }) });
    retire('c');
    clock.advance(1_000);
    expect(frames.at(-1)).toMatchObject({ rows: [], gone: [], total: 2, counts: counts({ running: 2 }) });
  });

  it('counts what glob, text and viewer select, in every state, before the states that are asked for', () => {
    const { append, join } = setUp();
    for (const run of ['resnet-1', 'resnet-2', 'vit-1', 'vit-2']) append(run);
    append('resnet-2', [{ eventType: 'RUN_FINISHED' }]);
    const client = join({ q: 'ResNet', status: ['finished'] });
    expect(idsOf(client)).toEqual(['resnet-2']);
    expect(client.window.counts).toEqual(counts({ running: 1, finished: 1 }));
    expect(join({ ch: 'runs:*/vit*' }).window.total).toBe(2);
    const viewer = { ...everyone, scope: 'one', maySee: (key: string) => key === keyOf('vit-2') };
    expect(idsOf(join({ ch: 'runs:*/vit*' }, viewer))).toEqual(['vit-2']);
  });

  it('finds a run by its task when it has got one', () => {
    const { clock, append, join } = setUp();
    append('a');
    const client = join({ q: 'cifar' });
    expect(client.window.total).toBe(0);
    append('a', [{ eventType: 'TRAINING_STARTED', data: { task: 'CIFAR-10' } }]);
    clock.advance(1_000);
    expect(idsOf(client)).toEqual(['a']);
    append('a', [{ eventType: 'TRAINING_STARTED', data: { task: 'mnist' } }]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ rows: [], gone: [keyOf('a')], total: 0 });
  });

  it('tells that a run is quiet, that contact is lost, and that the rate is gone, when only time passes', () => {
    const { clock, append, join } = setUp();
    append('a', [{}, {}]);
    append('b', [{ eventType: 'RUN_HEARTBEAT' }]);
    const client = join({ sort: 'run_id', status: ['quiet', 'lost_contact'] });
    const all = join({ sort: 'run_id' });
    expect(all.window.rows.map((row) => row.events_per_second)).toEqual([0.2, 0.1]);
    clock.advance(22_000);
    expect(all.window.rows.map((row) => row.events_per_second)).toEqual([0, 0]);
    clock.advance(37_999);
    expect(client.window.counts).toEqual(counts({ running: 2 }));
    clock.advance(2_001);
    expect(client.window.rows.map((row) => row.state)).toEqual(['quiet', 'lost_contact']);
    expect(client.window.counts).toEqual(counts({ quiet: 1, lost_contact: 1 }));
    append('b');
    clock.advance(1_000);
    expect(idsOf(client)).toEqual(['a']);
    expect(all.window.rows.map((row) => row.state)).toEqual(['quiet', 'running']);
  });

  it('sets no timer when time will change nothing, and none for nobody', () => {
    const { clock, append, join } = setUp();
    append('a');
    const client = join();
    clock.advance(120_000);
    const frames = client.frames.length;
    expect(clock.pending).toBe(0);
    append('a');
    expect(clock.pending).toBe(1);
    client.leave();
    expect(clock.pending).toBe(0);
    append('a');
    expect([clock.pending, client.frames.length]).toEqual([0, frames]);
  });

  it('gives a client that had no room one frame with what differs, whatever happened meanwhile', () => {
    const { clock, append, retire, join } = setUp();
    for (const run of ['a', 'b', 'c', 'd']) append(run);
    clock.advance(20_000);
    const [slow, swift] = [join({ sort: 'run_id' }), join({ sort: 'run_id' })];
    slow.isSlow = true;
    for (let at = 0; at < 30; at += 1) {
      append('b');
      append(`x${at}`);
      clock.advance(1_000);
      retire(`x${at}`);
    }
    retire('c');
    clock.advance(1_000);
    expect(slow.frames).toHaveLength(1);
    slow.read();
    expect(slow.frames).toHaveLength(2);
    expect(slow.frames[1]).toMatchObject({ rows: [{ run_id: 'b' }], gone: [keyOf('c')], total: 3 });
    expect(slow.window.rows).toEqual(swift.window.rows);
    append('d');
    clock.advance(1_000);
    expect(slow.frames[2]).toEqual(swift.frames.at(-1));
  });

  it('moves a run whose state only time changes, in an order by state and between groups', () => {
    const { clock, append, join } = setUp();
    append('beating', [{ eventType: 'RUN_HEARTBEAT' }]);
    append('failed', [{ eventType: 'RUN_FAILED' }]);
    append('silent');
    clock.advance(30_000);
    append('running');
    append('over', [{ eventType: 'RUN_FINISHED' }]);
    const byState = join({ sort: 'state' });
    const grouped = join({ sort: 'run_id', group_by: 'state' });
    expect(idsOf(byState)).toEqual(['failed', 'running', 'beating', 'silent', 'over']);
    expect(grouped.window.groups).toEqual([
      ['failed', 1],
      ['running', 3],
      ['finished', 1],
    ]);
    clock.advance(32_000);
    expect(idsOf(byState)).toEqual(['failed', 'beating', 'silent', 'running', 'over']);
    expect(idsOf(grouped)).toEqual(['failed', 'beating', 'silent', 'running', 'over']);
    expect(grouped.window.groups).toEqual([
      ['failed', 1],
      ['lost_contact', 1],
      ['quiet', 1],
      ['running', 1],
      ['finished', 1],
    ]);
    append('silent');
    clock.advance(1_000);
    expect(idsOf(byState)).toEqual(['failed', 'beating', 'silent', 'running', 'over']);
    expect(byState.window.rows.map((row) => row.state)[2]).toBe('running');
  });

  it('shows a window of a grouped list, and tells every group that has runs in the states asked for', () => {
    const { clock, append, join } = setUp();
    const started = (task: string) => ({ eventType: 'TRAINING_STARTED', data: { task } });
    for (const [run, task] of Object.entries({ a: 'x', b: 'y', c: 'x', d: 'y', e: 'z' })) {
      append(run, [started(task)]);
    }
    append('f');
    append('e', [{ eventType: 'RUN_FAILED' }]);
    const asked = { sort: '-run_id', group_by: 'task_name', status: ['running'] } as const;
    const client = join({ ...asked, status: [...asked.status], offset: 1, limit: 2 });
    expect(idsOf(client)).toEqual(['a', 'd']);
    expect(client.window.groups).toEqual([
      ['x', 2],
      ['y', 2],
      [null, 1],
    ]);
    append('a', [started('z')]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({
      ...{ rows: [{ run_id: 'b' }], gone: [keyOf('a')], total: 5 },
      groups: [
        ['x', 1],
        ['y', 2],
        ['z', 1],
        [null, 1],
      ],
    });
  });

  it('tells the first 200 groups, and shows the runs of the others too', () => {
    const { append, join } = setUp();
    for (let at = 100; at < 350; at += 1) {
      append(`r${at}`, [{ eventType: 'TRAINING_STARTED', data: { task: `task-${at}` } }]);
    }
    const { window } = join({ group_by: 'task_name', limit: 1_000 });
    expect(window.total).toBe(250);
    expect(window.groups).toHaveLength(200);
    expect(window.groups.at(-1)).toEqual(['task-299', 1]);
    expect(window.rows.at(-1)?.task_name).toBe('task-349');
  });

  it('takes runs of a cluster, of a task, and whose figures meet every condition', () => {
    const { clock, append, join, runs, views } = setUp();
    const completed = (avg_accuracy: number) => ({
      eventType: 'BATCH_EPOCH_COMPLETED',
      data: { avg_accuracy },
    });
    append('a', [{ eventType: 'TRAINING_STARTED', data: { task: 'CIFAR-10' } }, completed(79)]);
    append('b', [completed(85)]);
    views.touch([runs.append('c10/a/default', [{ ...completed(90), receivedAtMs: clock.now() }])]);
    clock.advance(1_000);
    expect(idsOf(join({ cluster: 'c1', sort: 'run_id' }))).toEqual(['a', 'b']);
    expect(idsOf(join({ cluster: 'c' }))).toEqual([]);
    expect(idsOf(join({ task: 'cifar' }))).toEqual(['a']);
    expect(idsOf(join({ task: 'cifar', q: 'c10' }))).toEqual([]);
    const client = join({ cluster: 'c1', sort: 'run_id', where: ['accuracy>80', 'missing=0'] });
    expect([idsOf(client), client.window.total, client.window.counts]).toEqual([
      ['b'],
      1,
      counts({ running: 1 }),
    ]);
    append('a', [completed(81)]);
    append('b', [completed(80)]);
    clock.advance(1_000);
    expect(client.frames.at(-1)).toMatchObject({ rows: [{ run_id: 'a' }], gone: [keyOf('b')], total: 1 });
    append('b', [completed(80.5)]);
    clock.advance(1_000);
    expect(idsOf(client)).toEqual(['a', 'b']);
  });

  it('is computed and encoded once for all who share it', () => {
    const { clock, append, join, runs } = setUp();
    for (let at = 0; at < 20; at += 1) append(`r${at}`);
    let sparks = 0;
    const spark = runs.figures.spark.bind(runs.figures);
    runs.figures.spark = (key) => {
      sparks += 1;
      return spark(key);
    };
    const clients = Array.from({ length: 200 }, () => join());
    expect(sparks).toBe(20);
    append('r3');
    clock.advance(1_000);
    expect(sparks).toBe(21);
    for (const { frames } of clients) expect(frames.at(-1)).toMatchObject({ rows: [{ run_id: 'r3' }] });
  });

  it('shows the newest accuracies of a run', () => {
    const { append, join } = setUp();
    append('a', [{ data: { val_accuracy: 40 } }, { data: { val_accuracy: 41.5 } }]);
    expect(join().window.rows[0]?.spark).toEqual([40, 41.5]);
  });

  it('is right at once after a rebuild, for rows, total and counts', () => {
    const { clock, append, join, views } = setUp();
    append('a');
    append('b');
    const client = join({ sort: 'run_id' });
    const rebuilt = new MadeUpRuns({ epoch: 'e2' });
    for (const run of ['b', 'c', 'd']) {
      rebuilt.append(keyOf(run), [{ receivedAtMs: clock.now() }]);
    }
    views.switchTo(rebuilt);
    expect(idsOf(client)).toEqual(['b', 'c', 'd']);
    expect(client.frames.at(-1)).toMatchObject({ gone: [keyOf('a')], total: 3 });
    expect(client.window.counts).toEqual(counts({ running: 3 }));
  });

  it('is never more than 2 s old, also if 3,000 of 10,000 runs change each second', {
    timeout: 60_000,
  }, () => {
    const { clock, append, join, runs } = setUp();
    for (let at = 0; at < 10_000; at += 1) append(`r${at}`);
    const pages = Array.from({ length: 10 }, (_, page) =>
      join({ sort: 'run_id', limit: 1_000, offset: page * 1_000 }),
    );
    let next = 0;
    let oldestMs = 0;
    for (let tick = 0; tick < 80; tick += 1) {
      for (let at = 0; at < 300; at += 1) append(`r${(next + at) % 10_000}`);
      next = (next + 300) % 10_000;
      clock.advance(100);
      if (tick % 10 !== 9) continue;
      for (const { window } of pages) {
        for (const row of window.rows) {
          const head = runs.states.head(keyOf(row.run_id))!;
          if (head.position.seq === row.seq) continue;
          oldestMs = Math.max(oldestMs, clock.now() - Date.parse(head.last_received_at));
        }
      }
    }
    expect(oldestMs).toBeLessThan(2_000);
  });
});

describe('index views', () => {
  it('hold what the runs are, whatever happens, and however slowly some read', () => {
    const names = ['a', 'b', 'net-1', 'net-2', 'zoo'];
    const run = fc.constantFrom(...names);
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          run,
          eventType: fc.constantFrom(
            ...['EPOCH_COMPLETED', 'RUN_HEARTBEAT', 'RUN_FINISHED', 'RUN_FAILED'],
            ...['TRAINING_STARTED', 'BATCH_EPOCH_COMPLETED'],
          ),
          data: fc.constantFrom<MadeUpEvent['data'] & object>(
            {},
            { task: 'cifar', avg_accuracy: 40 },
            { task: 'mnist', avg_accuracy: 60, batch_idx: 9 },
          ),
        }),
      },
      fc.record({ kind: fc.constant('retire' as const), run }),
      fc.record({ kind: fc.constant('rebuild' as const) }),
      fc.record({
        kind: fc.constant('advance' as const),
        ms: fc.constantFrom(50, 300, 1_000, 9_000, 61_000, 400_000),
      }),
      fc.record({
        kind: fc.constant('join' as const),
        asked: fc.record({
          ch: fc.constantFrom('runs:*', 'runs:c1/*', 'runs:*/net*', 'runs:other/*'),
          q: fc.constantFrom(null, 'NET', 'o'),
          status: fc.constantFrom(null, ...[['running'], ['quiet', 'lost_contact'], ['failed']]),
          cluster: fc.constantFrom(null, null, 'c1', 'other'),
          task: fc.constantFrom(null, null, 'CIF', 'none'),
          where: fc.constantFrom(null, null, ['accuracy>50'], ['events>2', 'attempt=1'], ['batch<=3']),
          sort: fc.constantFrom(null, 'state', '-state', ...runSortSchema.options),
          group_by: fc.constantFrom(null, ...runGroupFieldSchema.options),
          limit: fc.constantFrom(1, 2, 200),
          offset: fc.constantFrom(0, 1, 3),
        }) as fc.Arbitrary<AskedView>,
      }),
      fc.record({
        kind: fc.constantFrom('stall' as const, 'read' as const, 'leave' as const),
        who: fc.nat(9),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { runs: first, clock, views } = setUp();
        let runs = first;
        let clients: TestClient[] = [];
        for (const each of steps) {
          switch (each.kind) {
            case 'append':
              views.touch([
                runs.append(keyOf(each.run), [
                  { eventType: each.eventType, data: each.data, receivedAtMs: clock.now() },
                ]),
              ]);
              break;
            case 'retire':
              if (runs.states.has(keyOf(each.run))) views.touch([runs.retire(keyOf(each.run))]);
              break;
            case 'rebuild':
              runs = new MadeUpRuns({ epoch: 'e2' });
              runs.append(keyOf('a'), [{ receivedAtMs: clock.now() }]);
              views.switchTo(runs);
              break;
            case 'advance':
              clock.advance(each.ms);
              break;
            case 'join':
              clients.push(new TestClient(views, { asked: each.asked }));
              break;
            case 'leave':
              clients[each.who]?.leave();
              clients = clients.filter((_, at) => at !== each.who);
              break;
            case 'stall':
              if (clients[each.who] !== undefined) clients[each.who]!.isSlow = true;
              break;
            case 'read':
              clients[each.who]?.read();
              break;
            default: {
              const unreachable: never = each;
              throw new Error(`unknown step ${JSON.stringify(unreachable)}`);
            }
          }
        }
        clock.advance(2_000);
        for (const client of clients) {
          client.read();
          const { rows, total, counts: held, groups } = client.window;
          const expected = expectedOf(client.asked, { runs, nowMs: clock.now() });
          expect({ rows: rows.map(steady), total, counts: held, groups }).toEqual(expected);
        }
        for (const client of clients) client.leave();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});

/** A row without its rate, which is told every few seconds only. */
function steady({ events_per_second: _, ...row }: RunRow): object {
  return row;
}

/** Computes a view from the runs themselves, without any memory. */
function expectedOf(asked: AskedView, of: { runs: MadeUpRuns; nowMs: number }) {
  const { runs, nowMs } = of;
  const isInGlob = compileGlob(asked.ch.slice('runs:'.length));
  const part = asked.q?.toLowerCase() ?? '';
  const found = [...runs.states.heads()].filter(
    ([key, head]) =>
      isInGlob(key) &&
      `${key}\n${head.task_name ?? ''}`.toLowerCase().includes(part) &&
      (asked.cluster == null || head.cluster_id === asked.cluster) &&
      (asked.task == null || (head.task_name?.toLowerCase().includes(asked.task.toLowerCase()) ?? false)) &&
      (compileWhere(asked.where)?.test(head) ?? true),
  );
  const held = Object.fromEntries(runStateSchema.options.map((state) => [state, 0])) as Record<
    RunState,
    number
  >;
  for (const [, head] of found) held[conditionOf(head, nowMs).state] += 1;
  const order = runOrder(asked.sort ?? RUN_SORT_DEFAULT, asked.group_by ?? null);
  const wanted = found
    .filter(([, head]) => asked.status?.includes(conditionOf(head, nowMs).state) ?? true)
    .map(([key, head]) => ({ head, place: order.placeOf(key, head, conditionOf(head, nowMs).state) }))
    .sort((left, right) => order.compare(left.place, right.place));
  const from = asked.offset ?? 0;
  const rows = wanted
    .slice(from, from + (asked.limit ?? 200))
    .map(({ place, head }) => steady(rowOf(head, { nowMs, spark: runs.figures.spark(place.key) })));
  const groups = new Map<string | null, number>();
  for (const { place } of wanted) groups.set(place.group, (groups.get(place.group) ?? 0) + 1);
  return {
    ...{ rows, total: wanted.length, counts: held },
    groups: asked.group_by == null ? [] : [...groups],
  };
}
