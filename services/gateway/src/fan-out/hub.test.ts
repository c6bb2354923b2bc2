import type { RunChange } from '@runlog/run-feed/run-change';
import { applyDelta, deliverSnapshot, emptySnapshot } from '@runlog/run-state/delivery';
import { STREAM_AHEAD_LOOK_MS, STREAM_QUEUE_BYTES_HIGH } from '@runlog/schema/limits';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { RunDelta, RunResume, ServerFrameFields, Skipped } from '@runlog/schema/stream/server-frames';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MadeUpRuns } from '../made-up/made-up-runs.ts';
import { ManualClock } from '../made-up/manual-clock.ts';
import { textSink } from '../made-up/text-sink.ts';
import type { Flushable } from '../send/flush-queue.ts';
import { Outbox } from '../send/outbox.ts';
import { Hub } from './hub.ts';
import { Session } from './session.ts';

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 50);
const KEY = 'c1/r1/default';

/** A client that checks every frame as it arrives. Its socket accepts bytes only when it is told to. */
class TestClient {
  readonly session: Session;
  readonly outbox: Outbox;
  readonly frames: ServerFrameFields[] = [];
  readonly seen = new Map<string, number[]>();
  readonly skipped = new Map<string, Skipped[]>();
  readonly held = new Map<string, DeliveredSnapshot>();
  /** By channel: the `before` of what was skipped, until the step that follows. */
  readonly #oldest = new Map<string, number>();
  isSlow: boolean;
  bytesHighest = 0;
  readonly #epoch: string;
  readonly #unread: { message: string; written: () => void }[] = [];
  #deferred: Flushable[] = [];
  /**
   * Channels that were subscribed to and not yet answered. Frames before the answer belong to the earlier subscription.
   */
  readonly #awaiting = new Set<string>();

  constructor(options: { hub: Hub; clock: ManualClock; isSlow?: boolean }) {
    this.isSlow = options.isSlow ?? false;
    this.#epoch = options.hub.epoch;
    const unread = this.#unread;
    this.outbox = new Outbox({
      sink: textSink({
        send: (message, written) => {
          unread.push({ message, written });
          this.bytesHighest = Math.max(this.bytesHighest, this.#bufferedBytes());
        },
        bufferedBytes: () => this.#bufferedBytes(),
      }),
      clock: options.clock,
      defer: (outbox) => this.#deferred.push(outbox),
      on: { full: () => undefined, drained: () => this.session.drained(), stuck: () => undefined },
    });
    this.session = new Session({ hub: options.hub, outlet: this.outbox, clock: options.clock });
  }

  subscribe(key: string, options: { resume?: boolean } = {}): void {
    this.#awaiting.add(`run:${key}`);
    const since = options.resume ? (this.held.get(`run:${key}`)?.position ?? undefined) : undefined;
    this.session.receive(JSON.stringify({ id: 1, sub: [{ ch: `run:${key}`, since }] }));
  }

  unsubscribe(key: string): void {
    this.session.receive(JSON.stringify({ id: 2, unsub: [`run:${key}`] }));
  }

  /** Does what the event loop would do at the end of a tick, and reads as the other side would. */
  turn(options: { reads?: number } = {}): void {
    let reads = options.reads ?? (this.isSlow ? 0 : Number.POSITIVE_INFINITY);
    for (;;) {
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const outbox of deferred) outbox.flush();
      const next = reads > 0 ? this.#unread.shift() : undefined;
      if (next === undefined && this.#deferred.length === 0) return;
      if (next === undefined) continue;
      reads -= 1;
      for (const line of next.message.split('\n')) this.#read(JSON.parse(line) as ServerFrameFields);
      next.written();
    }
  }

  #bufferedBytes(): number {
    return this.#unread.reduce((sum, { message }) => sum + message.length, 0);
  }

  #read(frame: ServerFrameFields): void {
    this.frames.push(frame);
    const { ch } = frame;
    if (ch === undefined || frame.id === 2) return;
    const isAnswer = frame.id === 1 || frame.reset !== undefined;
    if (isAnswer) this.#awaiting.delete(ch);
    else if (this.#awaiting.has(ch)) return;
    if (frame.resume !== undefined && frame.resume.prev !== (this.held.get(ch)?.position?.seq ?? null)) {
      // The channel was reset between the subscription and its answer.
      this.subscribe(ch.slice('run:'.length));
      return;
    }
    const reset = frame.reset as { snapshot: DeliveredSnapshot } | undefined;
    if (frame.snapshot !== undefined || reset !== undefined) {
      const snapshot = (frame.snapshot ?? reset?.snapshot) as DeliveredSnapshot;
      this.held.set(ch, snapshot);
      this.seen.set(
        ch,
        snapshot.event_log.map((entry) => entry.seq),
      );
      this.skipped.set(ch, []);
    } else if (frame.resume !== undefined) this.#step(ch, frame.resume);
    else if (frame.lag !== undefined) this.#skip(ch, frame.lag.skipped);
    else if (frame.entries !== undefined) this.#step(ch, frame as RunDelta);
  }

  #skip(ch: string, skipped: Skipped): void {
    this.skipped.get(ch)?.push(skipped);
    this.#oldest.set(ch, skipped.before);
  }

  #step(ch: string, delta: RunResume): void {
    if (delta.skipped !== undefined) this.#skip(ch, delta.skipped);
    const oldest = this.#oldest.get(ch) ?? 0;
    const held = this.held.get(ch);
    if (held === undefined) throw new Error(`a delta before any snapshot of ${ch}`);
    expect(delta.prev).toBe(held.position?.seq ?? null);
    this.held.set(ch, applyDelta(held, { delta, epoch: this.#epoch }));
    // Those below are milestones of the range that was skipped.
    const shown = delta.entries.filter((entry) => entry.seq >= oldest);
    this.seen.get(ch)?.push(...shown.map((entry) => entry.seq));
    this.#oldest.delete(ch);
  }
}

/** Removes the fields that depend on the present time. */
function timeless(snapshot: DeliveredSnapshot | undefined): unknown {
  if (snapshot === undefined) return undefined;
  const { freshness: _, state: _state, ...rest } = snapshot;
  return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'relative_time' ? undefined : value)));
}

function setUp() {
  const runs = new MadeUpRuns();
  const clock = new ManualClock(START_MS);
  const read = { upTo: 0, isAtEnd: false };
  const hub = new Hub({
    ...{ epoch: runs.epoch, states: runs.states, figures: runs.figures, clock },
    readUpTo: () => read.upTo,
    isAtEnd: () => read.isAtEnd,
  });
  const stateOf = (key: string) => {
    const state = runs.states.get(key);
    return state === undefined ? emptySnapshot(parseRunKey(key)!) : deliverSnapshot(state, clock.now());
  };
  return { runs, clock, hub, read, stateOf };
}

const epochs = (count: number) => Array.from({ length: count }, () => ({}));

describe('the hub', () => {
  it('sends one delta per changed run and flush, whatever the number of batches', () => {
    const { runs, clock, hub } = setUp();
    hub.apply([runs.append(KEY, [{}])]);
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    hub.apply([runs.append(KEY, [{}])]);
    hub.apply([runs.append(KEY, [{}])]);
    hub.apply([runs.append(KEY, [{}])]);
    clock.advance(10);
    client.turn();
    const deltas = client.frames.filter((frame) => frame.prev !== undefined);
    expect(deltas.map((delta) => delta.entries?.length)).toEqual([1, 2]);
  });

  it('delivers a change at once after one that came late', () => {
    const { runs, clock, hub } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    const nextAfter = (ms: number) => {
      clock.advance(ms);
      hub.apply([runs.append(KEY, [{}])]);
      client.turn();
      return client.seen.get(`run:${KEY}`)!.length;
    };
    const seen = [0, 17, 3, 10, 10, 10].map(nextAfter);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('sends a hundred deltas a second on average, however often a run changes', () => {
    const { runs, clock, hub } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    client.turn();
    const before = client.frames.length;
    for (let ms = 0; ms < 1_000; ms += 1) {
      hub.apply([runs.append(KEY, [{}])]);
      clock.advance(1);
      client.turn();
    }
    expect(client.frames.length - before).toBe(101);
  });

  it('delivers all of a batch of 1,000 entries, once and in order', () => {
    const { runs, clock, hub, stateOf } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    client.turn();
    hub.apply([runs.append(KEY, epochs(1_000))]);
    client.turn();
    expect(client.seen.get(`run:${KEY}`)).toEqual(Array.from({ length: 1_000 }, (_, at) => at + 1));
    clock.advance(20_000);
    client.turn();
    expect(timeless(client.held.get(`run:${KEY}`))).toEqual(timeless(stateOf(KEY)));
  });

  it('answers a run that does not exist with an empty snapshot, and its first delta comes from null', () => {
    const { runs, clock, hub } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    client.turn();
    expect(client.frames[0]).toMatchObject({ id: 1, snapshot: { position: null, run_id: 'r1' } });
    hub.apply([runs.append(KEY, [{}])]);
    client.turn();
    expect(client.frames[1]).toMatchObject({ prev: null, seq: 1 });
  });

  it('resumes in the same epoch and says which entries it leaves out; in another epoch it gives a snapshot', () => {
    const { runs, clock, hub } = setUp();
    hub.apply([runs.append(KEY, epochs(150))]);
    const answerTo = (since: { epoch: string; seq: number }) => {
      const client = new TestClient({ hub, clock });
      client.held.set(`run:${KEY}`, { ...deliverSnapshot(runs.states.get(KEY)!, 0), position: since });
      client.seen.set(`run:${KEY}`, []);
      client.subscribe(KEY, { resume: true });
      client.turn();
      return client.frames[0];
    };
    expect(answerTo({ epoch: 'e1', seq: 150 })).toMatchObject({
      resume: { prev: 150, seq: 150, entries: [] },
    });
    const resumed = answerTo({ epoch: 'e1', seq: 50 })?.resume;
    expect(resumed?.entries.map((entry) => entry.seq)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 51),
    );
    expect(resumed).not.toHaveProperty('skipped');
    const skipping = answerTo({ epoch: 'e1', seq: 41 })?.resume;
    expect(skipping?.skipped).toEqual({ after: 41, before: 51, count: 9 });
    expect(skipping?.entries.map((entry) => entry.seq)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 51),
    );
    expect(answerTo({ epoch: 'e2', seq: 150 })).toHaveProperty('snapshot');
  });

  it('makes a client that is ahead wait for the fold', () => {
    const { runs, clock, hub } = setUp();
    hub.apply([runs.append(KEY, epochs(3))]);
    const client = new TestClient({ hub, clock });
    client.held.set(`run:${KEY}`, {
      ...deliverSnapshot(runs.states.get(KEY)!, 0),
      position: { epoch: 'e1', seq: 5 },
    });
    client.seen.set(`run:${KEY}`, []);
    client.subscribe(KEY, { resume: true });
    hub.apply([runs.append(KEY, [{}])]);
    clock.advance(100);
    client.turn();
    expect(client.frames).toEqual([]);
    hub.apply([runs.append(KEY, epochs(3))]);
    client.turn();
    expect(client.frames[0]).toMatchObject({ id: 1, resume: { prev: 5, seq: 7 } });
    expect(client.frames[0]?.resume?.entries.map((entry) => entry.seq)).toEqual([6, 7]);
    clock.advance(20_000);
    client.turn();
    expect(client.frames.some((frame) => frame.reset !== undefined)).toBe(false);
  });

  it.each([
    { which: 'a run that never was', events: 0, snapshotSeq: null },
    { which: 'a run that has not come so far', events: 3, snapshotSeq: 3 },
  ])('answers a position of $which at once when the log was read past it', ({ events, snapshotSeq }) => {
    const { runs, clock, hub, read } = setUp();
    if (events > 0) hub.apply([runs.append(KEY, epochs(events))]);
    const client = new TestClient({ hub, clock });
    const position = { epoch: 'e1', seq: 9 };
    client.held.set(`run:${KEY}`, { ...emptySnapshot(parseRunKey(KEY)!), position });
    read.upTo = 9;
    client.subscribe(KEY, { resume: true });
    hub.apply([]);
    client.turn();
    expect(client.frames).toEqual([]);
    read.upTo = 10;
    hub.apply([]);
    client.turn();
    const expected = { id: 1, snapshot: { position: snapshotSeq && { epoch: 'e1', seq: snapshotSeq } } };
    expect(client.frames).toMatchObject([expected]);
    client.held.set(`run:${KEY}`, { ...emptySnapshot(parseRunKey(KEY)!), position });
    client.subscribe(KEY, { resume: true });
    client.turn();
    expect(client.frames).toMatchObject([expected, expected]);
    clock.advance(20_000);
    client.turn();
    expect(client.frames).toHaveLength(2);
  });

  it('resets a client of a run that never was as soon as the log has been read to its end', () => {
    const { runs, clock, hub, read } = setUp();
    hub.apply([runs.append('c1/other/default', epochs(3))]);
    read.isAtEnd = true;
    const client = new TestClient({ hub, clock });
    const position = { epoch: 'e1', seq: 9 };
    client.held.set(`run:${KEY}`, { ...emptySnapshot(parseRunKey(KEY)!), position });
    client.subscribe(KEY, { resume: true });
    clock.advance(STREAM_AHEAD_LOOK_MS);
    clock.advance(1);
    client.turn();
    expect(client.frames).toMatchObject([{ reset: { snapshot: { position: null } } }]);
    clock.advance(20_000);
    client.turn();
    expect(client.frames).toHaveLength(1);
  });

  it('resets a client that waited ten seconds for a position that was not reached', () => {
    const { runs, clock, hub } = setUp();
    hub.apply([runs.append(KEY, epochs(3))]);
    const client = new TestClient({ hub, clock });
    client.held.set(`run:${KEY}`, {
      ...deliverSnapshot(runs.states.get(KEY)!, 0),
      position: { epoch: 'e1', seq: 9 },
    });
    client.subscribe(KEY, { resume: true });
    clock.advance(9_999);
    client.turn();
    expect(client.frames).toEqual([]);
    clock.advance(1);
    client.turn();
    expect(client.frames).toMatchObject([
      { reset: { reason: expect.any(String), snapshot: { position: { seq: 3 } } } },
    ]);
    hub.apply([runs.append(KEY, [{}])]);
    client.turn();
    expect(client.held.get(`run:${KEY}`)?.position?.seq).toBe(4);
  });

  it('resets the clients of a retired run, and streams it again when it comes back', () => {
    const { runs, clock, hub, stateOf } = setUp();
    hub.apply([runs.append(KEY, epochs(3))]);
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    hub.apply([runs.retire(KEY)]);
    client.turn();
    expect(client.frames.at(-1)).toMatchObject({
      reset: { reason: 'retired', snapshot: { position: null } },
    });
    hub.apply([runs.append(KEY, epochs(2))]);
    clock.advance(30_000);
    client.turn();
    expect(timeless(client.held.get(`run:${KEY}`))).toEqual(timeless(stateOf(KEY)));
  });

  it('resets the clients of a run that was retired and began anew within one batch', () => {
    const { runs, clock, hub, stateOf } = setUp();
    hub.apply([runs.append(KEY, epochs(3))]);
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    const { before } = runs.retire(KEY);
    hub.apply([{ ...runs.append(KEY, epochs(2)), before }]);
    clock.advance(30_000);
    client.turn();
    expect(client.frames.filter((frame) => frame.reset !== undefined)).toHaveLength(1);
    expect(timeless(client.held.get(`run:${KEY}`))).toEqual(timeless(stateOf(KEY)));
  });

  it('resets a client that was behind while its run was retired and began anew', () => {
    const { runs, clock, hub, stateOf } = setUp();
    const client = new TestClient({ hub, clock, isSlow: true });
    client.subscribe(KEY);
    for (let at = 0; at < 20; at += 1) {
      hub.apply([runs.append(KEY, epochs(100))]);
      clock.advance(10);
      client.turn();
    }
    hub.apply([runs.retire(KEY)]);
    hub.apply([runs.append(KEY, epochs(3))]);
    clock.advance(20_000);
    client.isSlow = false;
    client.turn();
    expect(client.frames.at(-1)).toMatchObject({ reset: { reason: 'the run began anew' } });
    expect(timeless(client.held.get(`run:${KEY}`))).toEqual(timeless(stateOf(KEY)));
  });

  it('reports the positions of quiet runs with a heartbeat', () => {
    const { runs, clock, hub } = setUp();
    const client = new TestClient({ hub, clock });
    hub.apply([runs.append(KEY, epochs(3))]);
    client.subscribe(KEY);
    client.subscribe('c1/none/default');
    clock.advance(20_000);
    hub.apply([runs.append('c1/busy/default', [{}])]);
    client.subscribe('c1/busy/default');
    clock.advance(10_000);
    client.session.heartbeat();
    client.turn();
    expect(client.frames.at(-1)).toEqual({ tips: { [`run:${KEY}`]: 3, 'run:c1/none/default': null } });
  });

  it('reports the end once a run has finished', () => {
    const { runs, clock, hub } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    hub.apply([runs.append(KEY, [{}])]);
    clock.advance(10);
    hub.apply([runs.append(KEY, [{ eventType: 'RUN_FINISHED' }])]);
    client.turn();
    expect(client.frames.at(-1)).toEqual({ ch: `run:${KEY}`, end: { status: 'finished' } });
  });

  it('sends activity once per bucket, and once more when the run has gone quiet', () => {
    const { runs, clock, hub, stateOf } = setUp();
    const client = new TestClient({ hub, clock });
    client.subscribe(KEY);
    for (let at = 0; at < 50; at += 1) {
      hub.apply([runs.append(KEY, [{ receivedAtMs: clock.now() }])]);
      clock.advance(100);
    }
    client.turn();
    const withActivity = () => client.frames.filter((frame) => frame.set?.activity !== undefined);
    expect(withActivity()).toHaveLength(1);
    clock.advance(20_000);
    client.turn();
    expect(withActivity()).toHaveLength(2);
    expect(client.held.get(`run:${KEY}`)?.activity).toEqual(stateOf(KEY).activity);
    for (let second = 0; second < 60; second += 1) clock.advance(1_000);
    client.turn();
    expect(client.held.get(`run:${KEY}`)?.state).toBe('quiet');
    expect(clock.pending).toBe(0);
  });

  it('sets no timer without subscriptions', () => {
    const { runs, clock, hub } = setUp();
    hub.apply([runs.append(KEY, epochs(3))]);
    hub.apply([runs.append(KEY, epochs(3))]);
    expect(clock.pending).toBe(0);
  });

  it('keeps a stuck client bounded, tells it what it missed and brings it back in one step', () => {
    const { runs, clock, hub, stateOf } = setUp();
    const stuck = new TestClient({ hub, clock, isSlow: true });
    const swift = new TestClient({ hub, clock });
    stuck.subscribe(KEY);
    swift.subscribe(KEY);
    for (let at = 0; at < 500; at += 1) {
      hub.apply([runs.append(KEY, epochs(100))]);
      clock.advance(10);
      stuck.turn();
      swift.turn();
    }
    expect(stuck.bytesHighest).toBeLessThan(STREAM_QUEUE_BYTES_HIGH + 128 * 1024);
    expect(swift.seen.get(`run:${KEY}`)).toHaveLength(50_000);
    clock.advance(20_000);
    stuck.isSlow = false;
    stuck.turn();
    swift.turn();
    const ch = `run:${KEY}`;
    expect(stuck.frames.filter((frame) => frame.lag !== undefined)).toHaveLength(1);
    const skipped = (stuck.skipped.get(ch) ?? []).reduce((sum, { count }) => sum + (count ?? 0), 0);
    expect((stuck.seen.get(ch)?.length ?? 0) + skipped).toBe(50_000);
    expect(timeless(stuck.held.get(ch))).toEqual(timeless(stateOf(ch.slice(4))));
    expect(timeless(swift.held.get(ch))).toEqual(timeless(stateOf(ch.slice(4))));
  });

  it('brings every client to the same state, whatever batches, subscriptions, slowness and retirements come', () => {
    const keys = [KEY, 'c1/r2/default'];
    const types = ['EPOCH_COMPLETED', 'SEED_GERMINATED', 'REWARD_COMPUTED', 'BATCH_EPOCH_COMPLETED'];
    const ends = ['RUN_FINISHED', 'RUN_FAILED'];
    const event = fc.record({
      eventType: fc.constantFrom(...types, ...ends),
      isDuplicate: fc.boolean(),
      offsetsSkipped: fc.nat(3),
    });
    const key = fc.constantFrom(...keys);
    const client = fc.nat(2);
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('append' as const),
          key,
          events: fc.array(event, { minLength: 1, maxLength: 12 }),
          repeat: fc.constantFrom(1, 1, 40),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const), key }) },
      // The fold runs ahead of the changes that are handed out.
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('hand_out' as const), count: fc.integer({ min: 1, max: 5 }) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, key, resume: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, key }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), client, reads: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('slow' as const), client, isSlow: fc.boolean() }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 5, 10, 50, 3_000) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const { runs, clock, hub, stateOf } = setUp();
        const clients = [0, 1, 2].map((at) => new TestClient({ hub, clock, isSlow: at === 2 }));
        const handedOut: RunChange[] = [];
        const written = new Map<string, number[]>();
        const handOut = (count: number) => hub.apply(handedOut.splice(0, count));
        for (const step of steps) {
          switch (step.do) {
            case 'append': {
              const events = Array.from({ length: step.repeat }, () => step.events).flat();
              const change = runs.append(step.key, events);
              handedOut.push(change);
              const seqs = written.get(step.key) ?? [];
              for (const entry of change.entries) seqs.push(entry.seq);
              written.set(step.key, seqs);
              break;
            }
            case 'retire':
              handedOut.push(runs.retire(step.key));
              break;
            case 'hand_out':
              handOut(step.count);
              break;
            case 'subscribe':
              clients[step.client]?.subscribe(step.key, { resume: step.resume });
              break;
            case 'unsubscribe':
              clients[step.client]?.unsubscribe(step.key);
              break;
            case 'read':
              clients[step.client]?.turn({ reads: step.reads });
              break;
            case 'slow':
              if (clients[step.client] !== undefined) clients[step.client]!.isSlow = step.isSlow;
              break;
            case 'wait':
              clock.advance(step.ms);
              for (const each of clients) each.turn();
              break;
          }
        }
        // At the end everything is handed out, everybody reads, and everybody is subscribed.
        handOut(handedOut.length);
        for (const each of clients) {
          each.isSlow = false;
          each.turn();
          for (const key of keys) each.subscribe(key, { resume: true });
        }
        clock.advance(40_000);
        for (const each of clients) each.turn();
        for (const each of clients) {
          for (const key of keys) {
            const ch = `run:${key}`;
            expect(timeless(each.held.get(ch))).toEqual(timeless(stateOf(key)));
            const seen = each.seen.get(ch) ?? [];
            const ordered = [...new Set(seen)].sort((a, b) => a - b);
            expect(seen).toEqual(ordered);
            // Every entry that was neither before the first snapshot nor said to be left out was seen.
            const skipped = each.skipped.get(ch) ?? [];
            const inRange = ({ after, before }: Skipped) =>
              (written.get(key) ?? []).filter((seq) => seq > after && seq < before);
            for (const range of skipped) {
              if (range.count !== null) expect(range.count).toBe(inRange(range).length);
            }
            const leftOut = new Set(skipped.flatMap(inRange));
            const from = seen[0] ?? Number.POSITIVE_INFINITY;
            const expected = (written.get(key) ?? []).filter((seq) => seq >= from && !leftOut.has(seq));
            expect(seen).toEqual(expected);
          }
          each.session.dispose();
        }
        expect(hub.load).toEqual({ channels: 0, subscriptions: 0 });
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
