import type { RunUpdate } from '@runlog/client/run-update';
import { ChannelRefusedError, StreamStoppedError } from '@runlog/client/stream-errors';
import type { DeliveredEntry, DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deliveredEntry, deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { MADE_UP_NOW_MS, type MadeUpConnection, madeUpConnection } from '../made-up/made-up-connection.ts';
import { type FollowedRun, type FrameWorld, followRun, type LogUpdate } from './followed-run.ts';

const KEY = 'c1/r1/default';
const EPOCH = 'e1';

let connection: MadeUpConnection;
let frames: ReturnType<typeof madeUpFrames>;
let run: FollowedRun;

beforeEach(() => {
  vi.useFakeTimers();
  connection = madeUpConnection();
  frames = madeUpFrames();
  run = followRun(KEY, { connection, frames });
});
afterEach(() => {
  run[Symbol.dispose]();
  vi.useRealTimers();
});

/** Frames that are drawn when the test says so. */
function madeUpFrames(): FrameWorld & { draw(): Promise<void>; readonly waiting: number } {
  let callbacks: (() => void)[] = [];
  return {
    nextFrame(callback) {
      callbacks.push(callback);
      return () => {
        callbacks = callbacks.filter((each) => each !== callback);
      };
    },
    get waiting() {
      return callbacks.length;
    },
    async draw() {
      await settled();
      const due = callbacks;
      callbacks = [];
      for (const callback of due) callback();
      await settled();
    },
  };
}

/** Lets everything happen that needs no time. */
const settled = () => vi.advanceTimersByTimeAsync(0);

const at = (ms: number) => new Date(MADE_UP_NOW_MS + ms).toISOString();
const entry = (seq: number): DeliveredEntry => deliveredEntry({ seq });
const state = (seq: number, overrides: Partial<DeliveredSnapshot> = {}): DeliveredSnapshot =>
  deliveredSnapshot({
    position: { epoch: EPOCH, seq },
    total_events_received: seq,
    last_received_at: at(0),
    event_log: [entry(seq - 1), entry(seq)],
    ...overrides,
  });

function whole(
  snapshot: DeliveredSnapshot,
  overrides: Partial<Extract<RunUpdate, { kind: 'snapshot' }>> = {},
): RunUpdate {
  return {
    ...{ kind: 'snapshot', snapshot, entries: snapshot.event_log, startsOver: true, reason: null },
    ...{ position: snapshot.position, filtered: null },
    ...overrides,
  };
}
function step(
  snapshot: DeliveredSnapshot,
  entries: readonly DeliveredEntry[],
  handed = snapshot.position,
): RunUpdate {
  return { kind: 'step', snapshot, entries, position: handed, filtered: null };
}
const send = (update: RunUpdate) => connection.runs[0]!.send(update);
async function drawn(...updates: RunUpdate[]): Promise<void> {
  for (const update of updates) {
    send(update);
    await frames.draw();
  }
}
function listening(): LogUpdate[] {
  const told: LogUpdate[] = [];
  run.onLog((update) => told.push(update));
  return told;
}
const seqsOf = (update: LogUpdate | undefined) =>
  update?.kind === 'start' || update?.kind === 'entries' ? update.entries.map(({ seq }) => seq) : null;

describe('a followed run', () => {
  it('is one subscription, which acknowledges what was drawn and nothing before', async () => {
    expect(connection.runs).toHaveLength(1);
    expect(connection.runs[0]).toMatchObject({ key: KEY, options: { acknowledge: true } });
    send(whole(state(2)));
    await settled();
    expect(run.snapshot.value).toBeNull();
    expect(connection.runs[0]!.dealtWith).toBe(0);
    await frames.draw();
    expect(run.snapshot.value?.position?.seq).toBe(2);
    expect(connection.runs[0]!.dealtWith).toBe(1);
  });

  it.each([
    ['hides no fault of the page', new Error('a broken invariant'), 1],
    [
      'leaves it to the connection to say that it was refused',
      new StreamStoppedError({ code: 4401, reason: '' }),
      0,
    ],
  ])('%s', async (_does, fault, faults) => {
    const told: unknown[] = [];
    const note = (reason: unknown) => told.push(reason);
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
    connection.runs[0]!.fail(fault);
    await settled();
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
    expect(told).toHaveLength(faults);
  });

  it('is drawn once a frame, however many steps wait', async () => {
    send(whole(state(2)));
    send(step(state(3), [entry(3)]));
    await settled();
    expect(frames.waiting).toBe(1);
    await frames.draw();
    expect(run.snapshot.value?.position?.seq).toBe(2);
    expect(frames.waiting).toBe(1);
  });

  it('tells its log in order: the beginning, what follows, what is missing, the end', async () => {
    const told = listening();
    await drawn(
      whole(state(2)),
      step(state(3), [entry(3)]),
      {
        kind: 'gap',
        after: 3,
        before: 9,
        count: null,
        reason: 'history_gone',
        position: { epoch: EPOCH, seq: 8 },
      },
      step(state(9), [entry(9)]),
      { kind: 'end', status: 'finished' },
    );
    expect(told.map(({ kind }) => kind)).toEqual(['start', 'entries', 'gap', 'entries', 'end']);
    expect(told.map(seqsOf)).toEqual([[1, 2], [3], null, [9], null]);
    expect(told[2]).toMatchObject({ after: 3, before: 9, count: null, reason: 'history_gone' });
  });

  it('tells whoever listens later what was handed over, and not what is ahead of that', async () => {
    await drawn(whole(state(2)));
    await drawn(step(state(9, { event_log: [1, 2, 8, 9].map(entry) }), [], { epoch: EPOCH, seq: 2 }));
    expect(run.isCatchingUp.value).toBe(true);
    const told = listening();
    expect(told.map(seqsOf)).toEqual([[1, 2]]);
    await drawn(step(state(9), [3, 4, 5, 6, 7, 8, 9].map(entry)));
    expect(told.map(seqsOf)).toEqual([
      [1, 2],
      [3, 4, 5, 6, 7, 8, 9],
    ]);
    expect(run.isCatchingUp.value).toBe(false);
  });

  it('begins anew when the run has started over', async () => {
    const told = listening();
    await drawn(whole(state(20)), whole(state(2), { reason: 'the log was made anew' }));
    expect(told.map(({ kind }) => kind)).toEqual(['start', 'start']);
    expect(run.snapshot.value?.position?.seq).toBe(2);
  });

  it('goes on after a snapshot that is not a new start', async () => {
    const told = listening();
    await drawn(whole(state(2)), whole(state(5), { startsOver: false, entries: [entry(3), entry(5)] }));
    expect(told.map(({ kind }) => kind)).toEqual(['start', 'entries']);
  });

  it('that nobody has heard of is waited for', async () => {
    const told = listening();
    await drawn(whole(deliveredSnapshot({ position: null, event_log: [] })));
    expect(run.failure.value).toEqual({ kind: 'unknown_run' });
    expect(run.standing.value).toMatchObject({ state: 'waiting' });
    await drawn(step(state(1, { event_log: [entry(1)] }), [entry(1)]));
    expect(run.failure.value).toBeNull();
    expect(told.map(seqsOf)).toEqual([[], [1]]);
  });

  it('that is deleted leaves nothing, and comes back by itself', async () => {
    const gone = whole(deliveredSnapshot({ position: null, event_log: [] }), {
      reason: 'the run was deleted',
    });
    await drawn(whole(state(2)), gone, gone);
    expect(run.failure.value).toEqual({ kind: 'deleted' });
    expect(run.snapshot.value).toBeNull();
    await drawn(step(state(30, { event_log: [entry(30)] }), [entry(30)]));
    expect(run.failure.value).toBeNull();
  });

  it('that may not be seen any more leaves nothing', async () => {
    await drawn(whole(state(2)));
    connection.runs[0]!.fail(new ChannelRefusedError({ code: 'forbidden', message: 'not with this key' }));
    await settled();
    expect(run.failure.value).toEqual({ kind: 'forbidden', message: 'not with this key' });
    expect(run.snapshot.value).toBeNull();
  });

  it('ends its subscriptions and forgets when it is disposed of', async () => {
    await drawn(whole(state(2)));
    run.figures();
    const told = listening();
    run[Symbol.dispose]();
    send(step(state(3), [entry(3)]));
    await frames.draw();
    expect(connection.runs[0]!.isEnded).toBe(true);
    expect(connection.figures).toMatchObject([{ key: KEY, isEnded: true }]);
    expect(run.snapshot.value).toBeNull();
    expect(told).toHaveLength(1);
    expect(frames.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('how a followed run stands', () => {
  it('goes by the server clock, also while nothing comes', async () => {
    await drawn(whole(state(2, { interval_ms: 300 })));
    connection.advance(400);
    expect(run.standing.value).toMatchObject({
      word: 'running',
      detail: 'last event 0.4 s ago · usually every 0.3 s',
    });
    connection.advance(60_000);
    expect(run.standing.value.word).toBe('quiet');
  });

  it('is unknown while the page is not connected, and so is its rate', async () => {
    await drawn(whole(state(2)));
    connection.unknownSinceMs.value = MADE_UP_NOW_MS;
    expect(run.standing.value).toMatchObject({ state: 'unknown', word: 'unknown since 07:12 UTC' });
    expect(run.eventsPerSecond.value).toBeNull();
    expect(run.behindMs.value).toBeNull();
  });
});

describe('how far a followed run is behind', () => {
  it('is measured when a step is drawn', async () => {
    await drawn(whole(state(2)));
    expect(run.behindMs.value).toBeNull();
    connection.advance(1_030);
    await drawn(step(state(3, { last_received_at: at(1_000) }), [entry(3)]));
    expect(run.behindMs.value).toBe(30);
    connection.advance(9_000);
    await drawn(step(state(4, { last_received_at: at(3_000) }), [entry(4)]));
    expect(run.behindMs.value).toBe(7_030);
  });

  it('is not measured by what a new connection tells of the time before', async () => {
    await drawn(whole(state(2)));
    connection.link.value = { state: 'waiting', retryAtMs: 0 };
    connection.advance(60_000);
    connection.link.value = { state: 'open' };
    await drawn(step(state(3, { last_received_at: at(5_000) }), [entry(3)]));
    expect(run.behindMs.value).toBeNull();
    connection.advance(50);
    await drawn(step(state(4, { last_received_at: at(60_000) }), [entry(4)]));
    expect(run.behindMs.value).toBe(50);
  });
});

describe('the rate of a followed run', () => {
  it.each(['an outage', 'a silence'])('does not double after %s', async (of) => {
    await drawn(whole(state(100)));
    for (let second = 1; second <= 10; second += 1) {
      connection.advance(1_000);
      await drawn(step(state(100 + second * 50, { last_received_at: at(second * 1_000) }), []));
    }
    expect(run.eventsPerSecond.value).toBeCloseTo(50, 0);
    if (of === 'an outage') connection.link.value = { state: 'waiting', retryAtMs: 0 };
    else connection.unknownSinceMs.value = MADE_UP_NOW_MS + 10_000;
    connection.advance(20_000);
    connection.link.value = { state: 'open' };
    connection.unknownSinceMs.value = null;
    await drawn(step(state(1_600, { last_received_at: at(30_000) }), []));
    expect(run.eventsPerSecond.value).toBeCloseTo(50, 0);
  });
});

describe('the outline of a followed run', () => {
  const timeline = (seq: number) => ({ position: { epoch: EPOCH, seq }, landmarks: [] });
  const asks = () => connection.asked.filter(({ path }) => path === `v1/runs/${KEY}/timeline`).length;

  it('is fetched at once, and every ten seconds while events come', async () => {
    connection.answer(() => ({ kind: 'ok', body: timeline(run.snapshot.value?.position?.seq ?? 0) }));
    await drawn(whole(state(2)));
    expect(run.timeline.value).toMatchObject({ position: { seq: 2 } });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asks()).toBe(1);
    await drawn(step(state(3), [entry(3)]));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asks()).toBe(2);
    expect(run.timeline.value).toMatchObject({ position: { seq: 3 } });
  });

  it('stays what it was when nobody answers, and is asked for again', async () => {
    await drawn(whole(state(2)));
    expect(run.timeline.value).toBeNull();
    connection.answer(() => ({ kind: 'ok', body: timeline(2) }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(run.timeline.value).toMatchObject({ position: { seq: 2 } });
  });

  it('is not asked for while there is no connection: whoever starts again would refuse it', async () => {
    await drawn(whole(state(2)));
    connection.link.value = { state: 'connecting' };
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asks()).toBe(1);
    connection.link.value = { state: 'open' };
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asks()).toBe(2);
  });
});

describe('the figures of a followed run', () => {
  it('are subscribed to when somebody asks for them, and once', async () => {
    expect(connection.figures).toHaveLength(0);
    const figures = run.figures();
    run.figures();
    expect(connection.figures).toHaveLength(1);
    const value = { figures: [] } as never;
    connection.figures[0]!.listener({ kind: 'figures', figures: value, reason: null });
    expect(figures.value).toBe(value);
  });
});
