import { setImmediate as nextTurn } from 'node:timers/promises';
import { MadeUpRuns } from '@runlog/gateway/made-up/made-up-runs';
import { deliverEntry, deliverSnapshot, emptySnapshot, entriesSince } from '@runlog/run-state/delivery';
import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { DeliveredSnapshot, EventLogEntry, Position, RunSnapshot } from '@runlog/schema/run/snapshot';
import type { RunResume, ServerFrameFields, SnapshotChanges } from '@runlog/schema/stream/server-frames';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backfill, type HistoryAnswer } from './backfill.ts';
import { EntryDelivery } from './entry-delivery.ts';
import { RunReplica } from './run-replica.ts';
import type { RunUpdate } from './run-update.ts';

const KEY = 'c1/r1/default';
const EPOCH = 'e1';

/** One life of the run: what is in the topic, as `/events` gives it. */
interface Life {
  readonly events: StoredEvent[];
  /** The entries that went out live, by seq. */
  readonly entries: Map<number, EventLogEntry>;
}

/** A gateway's side of one subscription, over a topic that holds everything. */
class ModelGateway {
  readonly runs = new MadeUpRuns({ epoch: EPOCH });
  readonly lives: Life[] = [{ events: [], entries: new Map() }];
  /** The position of the client as the gateway believes it; undefined without a connection. */
  #clientAt: number | null | undefined;
  #isBehind = false;
  readonly #knowsRepeats: boolean;

  constructor(options: { knowsRepeats: boolean }) {
    this.#knowsRepeats = options.knowsRepeats;
  }

  get state(): RunSnapshot | null {
    return this.runs.states.get(KEY) ?? null;
  }

  get life(): Life {
    return this.lives.at(-1)!;
  }

  append(kinds: readonly Kind[]): void {
    const before = this.state?.position.seq ?? -1;
    for (const kind of kinds) {
      const { after, entries } = this.runs.append(KEY, [madeUp[kind]]);
      const { seq } = after!.position;
      if (seq <= before) throw new Error('offsets grow');
      const entry = entries[0] ?? null;
      if (entry !== null) this.life.entries.set(seq, entry);
      const isRepeat = kind === 'repeat' && entry === null;
      const isKnown = this.#knowsRepeats || seq % 3 === 0;
      const original = this.life.events.at(-1)?.entry ?? null;
      this.life.events.push({
        seq,
        received_at: null,
        // Where the history no longer knows repeats, it has the entry that the event makes if it is none.
        entry: isRepeat && !isKnown && original !== null ? { ...original, seq } : entry,
        event: { event_id: after!.last_event_id },
        duplicate: isKnown ? isRepeat : null,
      });
    }
  }

  retire(): ServerFrameFields[] {
    if (this.state === null) return [];
    this.runs.retire(KEY);
    this.lives.push({ events: [], entries: new Map() });
    if (this.#clientAt === undefined) return [];
    this.#clientAt = null;
    this.#isBehind = false;
    return [{ ch: 'x', reset: { reason: 'retired', snapshot: this.#snapshot() } }];
  }

  disconnect(): void {
    this.#clientAt = undefined;
    this.#isBehind = false;
  }

  /** Answers a subscription. A server that is too old for `skipped` has only a snapshot if entries were pushed out. */
  join(asked: { id: number; since: Position | null; isOld: boolean }): ServerFrameFields {
    const { id, since, isOld } = asked;
    const { state } = this;
    this.#clientAt = state?.position.seq ?? null;
    this.#isBehind = false;
    const isSameLife = since !== null && state !== null && since.seq >= state.first_seq;
    if (!isSameLife) return { id, ch: 'x', snapshot: this.#snapshot() };
    const merged = this.#merged(state, since.seq);
    if (isOld && merged.skipped !== undefined) return { id, ch: 'x', snapshot: this.#snapshot() };
    return { id, ch: 'x', resume: merged };
  }

  /** The frames of what is new. A client without room gets them merged, later. */
  flush(how: 'sent' | 'no room'): ServerFrameFields[] {
    const { state } = this;
    if (this.#clientAt === undefined || state === null) return [];
    const prev = this.#clientAt;
    if (how === 'no room') {
      this.#isBehind = true;
      return [];
    }
    if (state.position.seq === prev) return [];
    this.#clientAt = state.position.seq;
    if (this.#isBehind) {
      this.#isBehind = false;
      const { skipped, ...merged } = this.#merged(state, prev);
      return skipped === undefined
        ? [{ ch: 'x', ...merged }]
        : [
            { ch: 'x', lag: { skipped } },
            { ch: 'x', ...merged },
          ];
    }
    const entries = [...this.life.entries.values()].filter(({ seq }) => seq > (prev ?? -1));
    const { set } = this.#merged(state, prev);
    const delta: RunResume = {
      ...{ prev, seq: state.position.seq, set },
      entries: entries.map((entry) => deliverEntry(entry, 0)),
      ...(prev === null ? { epoch: EPOCH } : {}),
    };
    return [{ ch: 'x', ...delta }];
  }

  tip(): number | null {
    return this.state?.position.seq ?? null;
  }

  page(asked: { after: number; limit: number; behind: number; oldest: number }): HistoryAnswer {
    const { state } = this;
    if (state === null) return { kind: 'refused', reason: 'no_such_run' };
    const upTo = Math.max(state.first_seq, state.position.seq - asked.behind);
    const oldest = Math.max(state.first_seq, asked.oldest);
    const known = this.life.events.filter(({ seq }) => seq > asked.after && seq >= oldest && seq <= upTo);
    const events = known.slice(0, asked.limit);
    const next = known.length > events.length ? events.at(-1)!.seq : null;
    return { kind: 'page', events, next, position: { epoch: EPOCH, seq: upTo }, oldest };
  }

  #snapshot(): DeliveredSnapshot {
    const { state } = this;
    return state === null ? emptySnapshot(parseRunKey(KEY)!) : deliverSnapshot(state, 0);
  }

  #merged(state: RunSnapshot, since: number | null): RunResume {
    const {
      event_log: _log,
      milestones: _milestones,
      position: _position,
      ...set
    } = deliverSnapshot({ ...state, event_log: [], milestones: [] }, 0);
    const after = since ?? -1;
    const evicted = state.evicted_seq ?? -1;
    return {
      ...{ prev: since, seq: state.position.seq, set: set as SnapshotChanges },
      entries: entriesSince(state, after).map((entry) => deliverEntry(entry, 0)),
      ...(evicted > after ? { skipped: { after, before: evicted + 1, count: null } } : {}),
      ...(since === null ? { epoch: EPOCH } : {}),
    };
  }
}

type Kind = 'epoch' | 'milestone' | 'heartbeat' | 'repeat' | 'end';
const madeUp = {
  epoch: { offsetsSkipped: 1 },
  milestone: { eventType: 'SEED_PRUNED' },
  heartbeat: { eventType: 'RUN_HEARTBEAT' },
  repeat: { isDuplicate: true },
  end: { eventType: 'RUN_FINISHED' },
} as const;
type Step =
  | { readonly do: 'append'; readonly kinds: readonly Kind[] }
  | { readonly do: 'flush' }
  | { readonly do: 'lose' }
  | { readonly do: 'no room' }
  | { readonly do: 'tips' }
  | { readonly do: 'disconnect' }
  | { readonly do: 'connect'; readonly isOld: boolean }
  | { readonly do: 'retire' }
  | { readonly do: 'subscribe anew' }
  | { readonly do: 'consume' }
  | { readonly do: 'page'; readonly limit: number; readonly behind: number }
  | { readonly do: 'fail' }
  | { readonly do: 'retention' }
  | { readonly do: 'refuse' };

/** A client of one run over the model, whose every turn is the test's. */
class ModelClient {
  readonly updates: RunUpdate[] = [];
  readonly gateway: ModelGateway;
  replica = new RunReplica();
  delivery: EntryDelivery;
  readonly #from: 'recent' | 'beginning';
  readonly #entriesMax: number;
  readonly #isEager: boolean;
  #asked: { after: number; answer: (answer: HistoryAnswer) => void }[] = [];
  #stop = new AbortController();
  #filling: Promise<void> | null = null;
  #isConnected = false;
  #isOld = false;
  #id = 0;
  #oldest = 0;

  constructor(options: {
    from: 'recent' | 'beginning';
    isEager: boolean;
    entriesMax: number;
    knowsRepeats: boolean;
  }) {
    this.gateway = new ModelGateway(options);
    this.#isEager = options.isEager;
    this.#from = options.from;
    this.#entriesMax = options.entriesMax;
    this.delivery = this.#newDelivery(options.from);
  }

  #newDelivery(from: 'recent' | 'beginning' | Position): EntryDelivery {
    const entriesMax = this.#entriesMax;
    return new EntryDelivery({ from, entriesMax, waitingMax: { entries: 150, bytes: 1e9 } });
  }

  /** Ends the subscription, and begins another one where this one was, with nothing else in memory. */
  async #subscribeAnew(): Promise<void> {
    this.#stop.abort();
    for (const { answer } of this.#asked) answer({ kind: 'failed', reason: 'unavailable', retryAfterMs: 0 });
    this.#asked = [];
    await this.#filling;
    this.#stop = new AbortController();
    this.#isConnected = false;
    this.gateway.disconnect();
    this.replica = new RunReplica();
    const last = this.updates.findLast((update) => update.kind !== 'end');
    this.delivery = this.#newDelivery(last?.position ?? this.#from);
  }

  async take(step: Step): Promise<void> {
    const { gateway } = this;
    switch (step.do) {
      case 'append':
        gateway.append(step.kinds);
        break;
      case 'flush':
        this.#receive(gateway.flush('sent'));
        break;
      case 'lose':
        gateway.flush('sent');
        break;
      case 'no room':
        gateway.flush('no room');
        break;
      case 'tips':
        if (this.#isConnected && this.replica.isBehind(gateway.tip())) this.#ask();
        break;
      case 'disconnect':
        this.#isConnected = false;
        gateway.disconnect();
        this.replica.disconnected();
        break;
      case 'connect':
        if (this.#isConnected) break;
        this.#isConnected = true;
        this.#isOld = step.isOld;
        this.#ask();
        break;
      case 'subscribe anew':
        await this.#subscribeAnew();
        break;
      case 'retire':
        this.#receive(gateway.retire());
        break;
      case 'consume':
        this.consume();
        break;
      case 'page':
        this.#answer((after) => gateway.page({ ...step, after, oldest: this.#oldest }));
        break;
      case 'fail':
        this.#answer(() => ({ kind: 'failed', reason: 'unavailable', retryAfterMs: 0 }));
        break;
      case 'refuse':
        this.#answer(() => ({ kind: 'refused', reason: 'unavailable' }));
        break;
      case 'retention':
        this.#oldest = Math.floor((gateway.tip() ?? 0) / 2);
        break;
      default: {
        const unreachable: never = step;
        throw new Error(`unknown step ${String(unreachable)}`);
      }
    }
    await this.#settle();
  }

  /** Connects, answers every page and takes every update. */
  async finish(): Promise<void> {
    await this.take({ do: 'connect', isOld: false });
    await this.take({ do: 'flush' });
    await this.take({ do: 'tips' });
    await this.take({ do: 'consume' });
    for (let turns = 0; this.delivery.wanted !== null || this.#asked.length > 0; turns += 1) {
      if (turns > 2_000) throw new Error('the backfill does not end');
      await this.take({ do: 'page', limit: 100, behind: 0 });
      await this.take({ do: 'consume' });
    }
    this.consume();
    this.#stop.abort();
    await this.#filling;
  }

  consume(): void {
    for (let update = this.delivery.pull(); update !== null; update = this.delivery.pull()) {
      this.updates.push(update);
    }
  }

  #answer(by: (after: number) => HistoryAnswer): void {
    const asked = this.#asked.shift();
    asked?.answer(by(asked.after));
  }

  #ask(): void {
    this.#id += 1;
    this.replica.asked(this.#id);
    this.#receive([this.gateway.join({ id: this.#id, since: this.replica.since, isOld: this.#isOld })]);
  }

  #receive(frames: readonly ServerFrameFields[]): void {
    for (const frame of frames) {
      const { updates, ask } = this.replica.receive(JSON.parse(JSON.stringify(frame)) as ServerFrameFields);
      for (const update of updates) this.delivery.take(update);
      if (ask) this.#ask();
    }
  }

  async #settle(): Promise<void> {
    if (this.#isEager) this.consume();
    if (this.delivery.wanted !== null && this.#filling === null) {
      this.#filling = backfill(
        this.delivery,
        {
          page: ({ after }) => new Promise((answer) => this.#asked.push({ after, answer })),
          connected: () => Promise.resolve(),
          wait: () => Promise.resolve(),
          random: () => 0.5,
          deliver: ({ entry }) => (entry === null ? null : deliverEntry(entry, 0)),
          onProgress: () => {
            if (this.#isEager) this.consume();
          },
        },
        this.#stop.signal,
      ).finally(() => {
        this.#filling = null;
      });
    }
    await nextTurn();
  }
}

const kinds = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant<Kind>('epoch') },
      fc.constantFrom<Kind>('milestone', 'heartbeat', 'repeat'),
      { weight: 1, arbitrary: fc.constantFrom<Kind>('epoch', 'epoch', 'epoch', 'end') },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .chain((some) =>
    fc.integer({ min: 1, max: 4 }).map((times) => Array.from({ length: times }, () => some).flat()),
  );

const benign: fc.Arbitrary<Step>[] = [
  kinds.map((appended) => ({ do: 'append', kinds: appended }) as const),
  kinds.map((appended) => ({ do: 'append', kinds: appended }) as const),
  fc.constantFrom<Step>(
    { do: 'flush' },
    { do: 'flush' },
    { do: 'lose' },
    { do: 'no room' },
    { do: 'tips' },
    { do: 'disconnect' },
    { do: 'consume' },
    { do: 'fail' },
  ),
  fc.boolean().map((isOld) => ({ do: 'connect', isOld }) as const),
  fc.record({
    do: fc.constant('page' as const),
    limit: fc.integer({ min: 1, max: 60 }),
    behind: fc.integer({ min: 0, max: 80 }),
  }),
  fc.record({ do: fc.constant('page' as const), limit: fc.constant(100), behind: fc.constant(0) }),
];
const harmful: fc.Arbitrary<Step>[] = [
  ...benign,
  fc.constantFrom<Step>({ do: 'retire' }, { do: 'refuse' }, { do: 'retention' }, { do: 'subscribe anew' }),
];

interface Segment {
  readonly entries: EventLogEntry[];
  readonly gaps: { after: number; before: number }[];
}

/** What was handed over, by life of the run. */
function segmentsOf(updates: readonly RunUpdate[]): Segment[] {
  const segments: Segment[] = [{ entries: [], gaps: [] }];
  let reached = -1;
  for (const update of updates) {
    if (update.kind === 'end') continue;
    if (update.kind === 'snapshot' && update.startsOver) {
      segments.push({ entries: [], gaps: [] });
      reached = -1;
    }
    const segment = segments.at(-1)!;
    if (update.kind === 'gap') {
      expect(update.after).toBeGreaterThanOrEqual(reached);
      expect(update.before).toBeGreaterThan(update.after + 1);
      segment.gaps.push(update);
      reached = update.before - 1;
    } else {
      for (const { relative_time: _, ...entry } of update.entries) {
        expect(entry.seq).toBeGreaterThan(reached);
        segment.entries.push(entry);
        reached = entry.seq;
      }
    }
    if (update.position !== null) expect(update.position.seq).toBeGreaterThanOrEqual(reached);
  }
  return segments;
}

function judge(client: ModelClient, from: 'recent' | 'beginning'): void {
  const { gateway, updates } = client;
  const lives = gateway.lives.map(({ entries }) => entries);
  const segments = segmentsOf(updates);
  for (const { entries } of segments) {
    const life = lives.find((known) => entries.some(({ seq }) => known.has(seq)));
    const ids = new Set<unknown>();
    for (const entry of entries) {
      const { event_id } = entry.metadata;
      // A repeat of an event from before the beginning cannot be recognised where the history does not know it.
      const isUnknowable = from === 'recent' && life?.has(entry.seq) !== true && !ids.has(event_id);
      if (!isUnknowable) expect(life?.get(entry.seq)).toEqual(entry);
      ids.add(event_id);
    }
  }
  const { entries, gaps } = segments.at(-1)!;
  const handed = new Set(entries.map(({ seq }) => seq));
  const begin =
    from === 'beginning' ? -1 : Math.min(entries[0]?.seq ?? Infinity, gaps[0]?.before ?? Infinity);
  const missed = [...lives.at(-1)!.keys()].filter(
    (seq) =>
      seq >= begin && !handed.has(seq) && !gaps.some(({ after, before }) => seq > after && seq < before),
  );
  expect(missed).toEqual([]);
  const last = updates.findLast((update) => update.kind === 'snapshot' || update.kind === 'step');
  const { state } = gateway;
  const expected = state === null ? emptySnapshot(parseRunKey(KEY)!) : deliverSnapshot(state, 0);
  expect(last?.snapshot).toEqual(JSON.parse(JSON.stringify(expected)));
}

describe('the entries of a run', () => {
  const client = fc.record({
    from: fc.constantFrom('recent' as const, 'beginning' as const),
    isEager: fc.boolean(),
  });

  it('are those of the topic, each once and in order, whatever is lost, late, behind or cut off', async () => {
    await fc.assert(
      fc.asyncProperty(
        client,
        fc.array(fc.oneof(...benign), { maxLength: 40, size: 'max' }),
        async (options, steps) => {
          const model = new ModelClient({
            ...options,
            entriesMax: Number.POSITIVE_INFINITY,
            knowsRepeats: false,
          });
          for (const step of steps) await model.take(step);
          await model.finish();
          judge(model, options.from);
          expect(model.updates.filter(({ kind }) => kind === 'gap')).toEqual([]);
        },
      ),
      { numRuns: 120 },
    );
  });

  it('are covered by a gap where they cannot be had, also if the run is deleted or retention moves on', async () => {
    await fc.assert(
      fc.asyncProperty(
        client,
        fc.constantFrom(0, 40, 400, Number.POSITIVE_INFINITY),
        fc.array(fc.oneof(...harmful), { maxLength: 40, size: 'max' }),
        async (options, entriesMax, steps) => {
          const model = new ModelClient({ ...options, entriesMax, knowsRepeats: true });
          for (const step of steps) await model.take(step);
          await model.finish();
          judge(model, options.from);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('what the filter left out', () => {
  const snapshotAt = (events: number) => {
    const runs = new MadeUpRuns();
    runs.append(
      KEY,
      Array.from({ length: events }, () => ({})),
    );
    return deliverSnapshot(runs.states.get(KEY)!, 0);
  };
  const step = (events: number, filtered: number | null) =>
    ({ kind: 'step', snapshot: snapshotAt(events), entries: [], skipped: null, filtered }) as const;
  const snapshot = (events: number, filtered: number | null) =>
    ({ kind: 'snapshot', snapshot: snapshotAt(events), reason: null, filtered }) as const;

  it('adds up over the steps that one update merges, and begins anew with a snapshot', () => {
    const delivery = new EntryDelivery({ from: 'recent', entriesMax: 0 });
    delivery.take(snapshot(1, 5));
    delivery.take(step(2, 1));
    expect(delivery.pull()).toMatchObject({ kind: 'snapshot', filtered: 6 });
    delivery.take(step(3, 0));
    expect(delivery.pull()).toMatchObject({ kind: 'step', filtered: 0 });
    delivery.take(step(4, 2));
    delivery.take(step(5, 3));
    expect(delivery.pull()).toMatchObject({ kind: 'step', filtered: 5 });
    delivery.take(step(6, 2));
    delivery.take(snapshot(7, 4));
    expect(delivery.pull()).toMatchObject({ kind: 'snapshot', filtered: 4 });
  });

  it('is unknown where nothing is said', () => {
    const delivery = new EntryDelivery({ from: 'recent', entriesMax: 0 });
    delivery.take(snapshot(1, null));
    expect(delivery.pull()).toMatchObject({ filtered: null });
    delivery.take(step(2, null));
    expect(delivery.pull()).toMatchObject({ filtered: null });
  });
});
