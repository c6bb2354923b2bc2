import { evolve } from '@runlog/run-state/evolve';
import { decodeRunRecord } from '@runlog/run-state/run-record';
import { checkpointSchema, type RunMeta, runMetaSchema } from '@runlog/schema/log-records';
import type { RunSnapshot } from '@runlog/schema/snapshot';
import { CHECKPOINT_KEY, rejectedHeaders, type TopicNames } from '@runlog/schema/topics';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import type { SimulatedLog, VisibleListener } from './simulated-log.ts';
import { holds } from './violation.ts';

/** Everything that is true of one run, by the log alone. */
export interface RunTruth {
  readonly key: string;
  readonly partition: number;
  /** After each record that moved it. */
  readonly states: Map<number, RunSnapshot>;
  latest: RunSnapshot | null;
  /** Offsets of records that made entries. */
  readonly entries: number[];
  /** Offsets of records that changed anything, and whether the run was absent then. */
  readonly changes: { readonly offset: number; readonly isAbsent: boolean }[];
  /** Event ids of the present incarnation, and how often any of them came. */
  ids: Set<string>;
  received: number;
  /** By emitter: the numbers that came in the present incarnation. */
  numbers: Map<string, Set<number>>;
}

/** What has been written to one incarnation of the snapshot topic. */
interface StoredTopic {
  epoch: string | null;
  readonly runs: Map<string, Stored>;
  readonly checkpoints: Map<number, number>;
}

interface Stored {
  /** Position of the newest snapshot, also of one that a tombstone replaced. */
  readonly seq: number;
  readonly isTombstone: boolean;
}

/**
 * Folds every event at the moment it lands, and judges everything else by that: what is stored, what gateways hold,
 * what clients were told.
 */
export class Oracle {
  readonly runs = new Map<string, RunTruth>();
  /** Ids of events that are in the log. */
  readonly landed = new Set<string>();
  /** What all services agreed on last. */
  meta: RunMeta | null = null;
  /** The epoch under which this fold began; its states say so also when a later one has begun. */
  #firstEpoch = '';
  readonly #topics: TopicNames;
  readonly #stored = new Map<string, StoredTopic>();
  readonly #unfoldable = new Set<string>();
  readonly #quarantined = new Set<string>();
  /** Landed before the services had agreed on an epoch. */
  readonly #early: { readonly record: LogRecord; readonly partition: number }[] = [];
  readonly #json = new WeakMap<RunSnapshot, string>();

  constructor(topics: TopicNames) {
    this.#topics = topics;
  }

  readonly onVisible: VisibleListener = ({ topic, partition, records }) => {
    if (topic === this.#topics.events) for (const record of records) this.#fold(record, partition);
    else if (topic === this.#topics.meta) for (const record of records) this.#agree(record);
    else if (topic === this.#topics.rejected) {
      for (const { headers } of records) this.#quarantined.add(headers[rejectedHeaders.origin] ?? '');
    } else {
      const stored = this.#storedIn(topic);
      for (const record of records) this.#store(record, { partition, topic, stored });
    }
  };

  /** The bytes of a state in an epoch. */
  jsonOf(state: RunSnapshot, epoch = this.meta?.epoch): string {
    let json = this.#json.get(state);
    if (json === undefined) {
      json = JSON.stringify(state);
      this.#json.set(state, json);
    }
    return epoch === undefined || epoch === this.#firstEpoch
      ? json
      : json.replace(`"epoch":"${this.#firstEpoch}"`, `"epoch":"${epoch}"`);
  }

  /** Of the current snapshot topic; -1: none yet. */
  checkpoint(partition: number): number {
    if (this.meta === null) return -1;
    return this.#storedIn(this.meta.snapshots).checkpoints.get(partition) ?? -1;
  }

  /** A state that somebody claims to have: the fold had it, at that position, just so. */
  confirm(key: string, state: RunSnapshot, who: string): void {
    // A commit is decided before it can be seen.
    if (this.meta === null) return;
    const truth = this.runs.get(key)?.states.get(state.position.seq);
    holds(truth !== undefined, () => `${who} has ${key} at ${state.position.seq}, where the fold never was`);
    holds(
      truth.total_events_received === state.total_events_received &&
        truth.duplicates === state.duplicates &&
        truth.missing === state.missing &&
        truth.first_seq === state.first_seq &&
        truth.event_log.length === state.event_log.length,
      () => `${who} has another state of ${key} at ${state.position.seq} than the fold`,
    );
  }

  /** What does not hold yet of the stored snapshots; empty when they are all that they must be. */
  unsettled(log: SimulatedLog): string[] {
    const faults: string[] = [];
    for (const partition of log.partitions(this.meta!.snapshots)) {
      const { index } = partition;
      const end = log.partition(this.#topics.events, index)!.stableEnd;
      if (this.checkpoint(index) !== end) {
        faults.push(
          `the checkpoint of partition ${index} is ${this.checkpoint(index)}, its events end at ${end}`,
        );
      }
      const newest = partition.newestByKey();
      for (const truth of this.runs.values()) {
        if (truth.partition !== index) continue;
        const stored = newest.get(truth.key)?.value?.toString('utf8') ?? null;
        const expected = truth.latest === null ? null : this.jsonOf(truth.latest);
        if (stored !== expected)
          faults.push(`the stored snapshot of ${truth.key} is not the fold of its events`);
      }
    }
    for (const origin of this.#unfoldable) {
      if (!this.#quarantined.has(origin)) faults.push(`${origin} cannot be folded and is not in quarantine`);
    }
    return faults;
  }

  /** Duplicates and missing numbers, counted apart from the fold. */
  checkCounts(): void {
    for (const { key, latest, ids, received, numbers } of this.runs.values()) {
      if (latest === null) continue;
      holds(
        latest.total_events_received === received &&
          latest.total_events_received - latest.duplicates === ids.size,
        () =>
          `${key} counts ${latest.total_events_received} received and ${latest.duplicates} duplicates; the log holds ` +
          `${received} records of ${ids.size} events`,
      );
      let missing = 0;
      for (const seen of numbers.values()) missing += Math.max(...seen) - seen.size;
      holds(latest.missing === missing, () => `${key} counts ${latest.missing} missing, ${missing} are`);
    }
  }

  #agree(record: LogRecord): void {
    const meta = runMetaSchema.parse(JSON.parse(record.value!.toString('utf8')));
    const { meta: former } = this;
    holds(
      former === null || former.snapshots !== meta.snapshots,
      () => `run-meta was written twice: ${former?.epoch}, then ${meta.epoch}`,
    );
    const stored = this.#storedIn(meta.snapshots);
    holds(
      stored.epoch === null || stored.epoch === meta.epoch,
      () => `run-meta says epoch ${meta.epoch}, ${meta.snapshots} was written in ${stored.epoch}`,
    );
    stored.epoch = meta.epoch;
    this.meta = meta;
    if (former !== null) return;
    this.#firstEpoch = meta.epoch;
    for (const early of this.#early.splice(0)) this.#fold(early.record, early.partition);
  }

  #storedIn(topic: string): StoredTopic {
    let stored = this.#stored.get(topic);
    if (stored === undefined) {
      stored = { epoch: null, runs: new Map(), checkpoints: new Map() };
      this.#stored.set(topic, stored);
    }
    return stored;
  }

  #fold(record: LogRecord, partition: number): void {
    const { key, offset } = record;
    if (this.meta === null) {
      this.#early.push({ record, partition });
      return;
    }
    const decoded = decodeRunRecord(record, this.#firstEpoch);
    if (decoded.kind === 'unfoldable') {
      this.#unfoldable.add(`${this.#topics.events}:${partition}:${offset}`);
      return;
    }
    let truth = this.runs.get(key);
    if (truth === undefined) {
      truth = {
        ...{ key, partition, states: new Map(), latest: null, entries: [], changes: [] },
        ...{ ids: new Set<string>(), received: 0, numbers: new Map<string, Set<number>>() },
      };
      this.runs.set(key, truth);
    }
    const before = truth.latest;
    const after = evolve(before, decoded);
    if (decoded.kind === 'event') {
      const { event } = decoded;
      this.landed.add(event.event_id);
      truth.ids.add(event.event_id);
      truth.received += 1;
      if (event.emitter_id != null && event.emitter_seq != null) {
        const seen = truth.numbers.get(event.emitter_id) ?? new Set();
        truth.numbers.set(event.emitter_id, seen.add(event.emitter_seq));
      }
    }
    if (after === before) return;
    truth.changes.push({ offset, isAbsent: after === null });
    truth.latest = after;
    if (after === null) {
      truth.ids = new Set();
      truth.received = 0;
      truth.numbers = new Map();
      return;
    }
    truth.states.set(offset, after);
    if (after.event_log.at(-1)?.seq === offset) truth.entries.push(offset);
  }

  #store(record: LogRecord, at: { topic: string; partition: number; stored: StoredTopic }): void {
    const { key, value } = record;
    const { partition, stored } = at;
    if (key === CHECKPOINT_KEY) {
      this.#storeCheckpoint(record, at);
      return;
    }
    if (key.startsWith('#')) return;
    const truth = this.runs.get(key);
    holds(
      truth !== undefined && truth.partition === partition,
      () => `a snapshot of ${key}, which has no events`,
    );
    const before = stored.runs.get(key) ?? { seq: -1, isTombstone: false };
    if (value === null) {
      holds(
        truth.latest === null || truth.latest.first_seq > before.seq,
        () => `a tombstone of ${key} behind position ${before.seq}, which was not retired`,
      );
      stored.runs.set(key, { seq: before.seq, isTombstone: true });
      return;
    }
    const text = value.toString('utf8');
    const seq = Number(/"seq":(\d+)/.exec(text)?.[1]);
    holds(
      before.isTombstone ? seq > before.seq : seq >= before.seq,
      () => `the stored snapshot of ${key} went back from ${before.seq} to ${seq}`,
    );
    const state = truth.states.get(seq);
    holds(state !== undefined, () => `a snapshot of ${key} at ${seq}, where the fold never was`);
    stored.epoch ??= /"epoch":"([^"]*)"/.exec(text)?.[1] ?? null;
    holds(
      text === this.jsonOf(state, stored.epoch ?? undefined),
      () =>
        `the snapshot of ${key} at ${seq} is not the fold of its events: ${difference(text, this.jsonOf(state, stored.epoch ?? undefined))}`,
    );
    stored.runs.set(key, { seq, isTombstone: false });
  }

  #storeCheckpoint(record: LogRecord, at: { topic: string; partition: number; stored: StoredTopic }): void {
    const { next, epoch } = checkpointSchema.parse(JSON.parse(record.value!.toString('utf8')));
    const { partition, topic, stored: of } = at;
    of.epoch ??= epoch;
    holds(of.epoch === epoch, () => `a checkpoint of ${topic} says epoch ${epoch}, others ${of.epoch}`);
    const before = of.checkpoints.get(partition) ?? -1;
    holds(
      next >= before,
      () => `the checkpoint of partition ${partition} went back from ${before} to ${next}`,
    );
    of.checkpoints.set(partition, next);
    for (const truth of this.runs.values()) {
      if (truth.partition !== partition) continue;
      const last = truth.changes.findLast(({ offset }) => offset < next);
      if (last === undefined) continue;
      const stored = of.runs.get(truth.key);
      // A stored snapshot may run ahead of the checkpoint, never behind.
      const isStored = last.isAbsent
        ? stored === undefined || stored.isTombstone || stored.seq > last.offset
        : stored !== undefined && stored.seq >= last.offset;
      holds(
        isStored,
        () =>
          `the checkpoint of partition ${partition} is ${next}, but what is stored of ${truth.key} lacks offset ${last.offset}`,
      );
    }
  }
}

/** Where two texts part, with what is around. */
function difference(left: string, right: string): string {
  let at = 0;
  while (at < left.length && left[at] === right[at]) at += 1;
  const from = Math.max(0, at - 40);
  return `${left.slice(from, at + 60)} instead of ${right.slice(from, at + 60)}`;
}
