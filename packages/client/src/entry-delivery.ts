import type { DeliveredEntry, DeliveredSnapshot, Position, RunStatus } from '@runlog/schema/run/snapshot';
import type { Skipped } from '@runlog/schema/stream/server-frames';
import type { ReplicaUpdate } from './run-replica.ts';
import type { GapReason, RunUpdate } from './run-update.ts';

/** The ids that are remembered to recognise a repeat where the history cannot say whether an event is one. */
const IDS_MAX = 5_000;
/** Beyond either, entries that wait are dropped: they are fetched when it is their turn. */
const WAITING_ENTRIES_MAX = 10_000;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/** Entries with `after` < seq < `before` that must be fetched before those behind them are handed over. */
export interface WantedRange {
  readonly after: number;
  readonly before: number;
}

/** An entry out of the history. */
export interface PastEntry {
  readonly entry: DeliveredEntry;
  readonly eventId: string;
  /** Null if the history no longer knows whether the event is a repeat. */
  readonly duplicate: boolean | null;
}

interface Range {
  readonly kind: 'range';
  after: number;
  before: number;
  count: number | null;
  /** The entries of this range that were fetched so far. */
  fetched: number;
}
interface Gap {
  readonly kind: 'gap';
  readonly after: number;
  readonly before: number;
  readonly count: number | null;
  readonly reason: GapReason;
}
type Item =
  | Range
  | Gap
  | { readonly kind: 'entries'; readonly entries: DeliveredEntry[]; bytes: number }
  | { readonly kind: 'end'; readonly status: Exclude<RunStatus, 'running'> };

/**
 * What one subscriber of a run gets: it turns the steps of the state into entries, each once and in order, with those that
 * the server left out in their place. Updates are pulled. While a range is wanted, what comes after it waits; the state goes
 * on.
 */
export class EntryDelivery {
  readonly #from: 'recent' | 'beginning';
  readonly #entriesMax: number;
  readonly #waitingMax: { readonly entries: number; readonly bytes: number };
  #state: DeliveredSnapshot | null = null;
  /** The entries that the filter left out since the subscriber was last told a state. */
  #filtered: number | null = null;
  /** Whether the subscriber has seen `#state`. */
  #isTold = true;
  #announced: { startsOver: boolean; reason: string | null } | null = null;
  /** What was pending when the run started over. */
  #lost: (Gap & { readonly epoch: string }) | null = null;
  #epoch: string | null = null;
  /** All entries up to here were handed over, or said to be missing. */
  #handed = -1;
  /** All entries up to here were handed over or are in the queue. */
  #tail = -1;
  #queue: Item[] = [];
  #waiting = { entries: 0, bytes: 0 };
  /** Where the end is that was said or is in the queue. */
  #endSeq: number | null = null;
  readonly #ids = new Set<string>();

  /** `from`: where to begin in a run that the subscriber has not seen. A position is that of an earlier subscription. */
  constructor(options: {
    from: 'recent' | 'beginning' | Position;
    /** The most entries of one range that are fetched. */
    entriesMax: number;
    waitingMax?: { readonly entries: number; readonly bytes: number };
  }) {
    const { from } = options;
    this.#entriesMax = options.entriesMax;
    this.#waitingMax = options.waitingMax ?? { entries: WAITING_ENTRIES_MAX, bytes: WAITING_BYTES_MAX };
    // Nothing may be left out behind a position, so a run that began anew since then is handed over whole.
    this.#from = typeof from === 'string' ? from : 'beginning';
    if (typeof from === 'string') return;
    this.#epoch = from.epoch;
    this.#handed = from.seq;
    this.#tail = from.seq;
  }

  get epoch(): string | null {
    return this.#epoch;
  }

  take(update: ReplicaUpdate): void {
    if (update.kind === 'snapshot') {
      this.#filtered = update.filtered;
      this.#replace(update.snapshot, update.reason);
    } else {
      if (update.filtered !== null) this.#filtered = (this.#filtered ?? 0) + update.filtered;
      this.#step(update);
    }
    this.#noteEnd();
    this.#bound();
  }

  /** Returns the next update, or null until something arrives or is fetched. */
  pull(): RunUpdate | null {
    if (this.#lost !== null) {
      const { epoch, ...gap } = this.#lost;
      this.#lost = null;
      return { ...gap, position: { epoch, seq: gap.before - 1 } };
    }
    if (this.#state === null) return null;
    this.#judgeRange();
    if (this.#announced !== null) {
      const announced = this.#announced;
      this.#announced = null;
      return { kind: 'snapshot', ...announced, ...this.#stateWith(this.#takeEntries()) };
    }
    const head = this.#queue[0];
    if (head?.kind === 'gap') {
      this.#queue.shift();
      this.#handedUpTo(head.before - 1);
      return { ...head, position: this.#position };
    }
    if (head?.kind === 'end') {
      this.#queue.shift();
      return head;
    }
    if (head?.kind === 'entries') return { kind: 'step', ...this.#stateWith(this.#takeEntries()) };
    if (head === undefined) this.#handedUpTo(this.#tail);
    return this.#isTold ? null : { kind: 'step', ...this.#stateWith([]) };
  }

  /** Returns what must be fetched before anything else can be handed over. It is the same object until that is done. */
  get wanted(): WantedRange | null {
    this.#judgeRange();
    const head = this.#queue[0];
    return head?.kind === 'range' ? head : null;
  }

  /** Takes the oldest entries of the wanted range: all of them up to `reached`. */
  fetched(wanted: WantedRange, page: { entries: readonly PastEntry[]; reached: number }): void {
    const range = this.#headIs(wanted);
    if (range === null) return;
    const { after, before } = range;
    const entries: DeliveredEntry[] = [];
    const ids = new Set<string>();
    for (const { entry, eventId, duplicate } of page.entries) {
      if (entry.seq <= after || entry.seq >= before || duplicate === true) continue;
      if (duplicate === null && (this.#ids.has(eventId) || ids.has(eventId))) continue;
      ids.add(eventId);
      entries.push(entry);
    }
    range.after = Math.max(after, Math.min(page.reached, before - 1));
    range.fetched += entries.length;
    if (range.count !== null) range.count = Math.max(0, range.count - entries.length);
    if (range.after >= before - 1) this.#queue.shift();
    if (entries.length > 0) this.#queue.unshift(this.#counted(entries));
    if (this.#queue.length === 0) this.#handedUpTo(this.#tail);
  }

  /** Notes that the oldest part of the wanted range, up to below `before`, cannot be fetched. */
  missing(wanted: WantedRange, part: { before: number; reason: GapReason }): void {
    const range = this.#headIs(wanted);
    if (range === null) return;
    const { after } = range;
    const before = Math.min(part.before, range.before);
    const isAll = before === range.before;
    const count = isAll ? range.count : null;
    this.#queue.shift();
    if (!isAll) {
      range.after = before - 1;
      range.count = null;
      this.#queue.unshift(range);
    }
    this.#queue.unshift({ kind: 'gap', after, before, count, reason: part.reason });
  }

  get #position(): Position | null {
    return this.#epoch === null || this.#handed < 0 ? null : { epoch: this.#epoch, seq: this.#handed };
  }

  #replace(snapshot: DeliveredSnapshot, reason: string | null): void {
    this.#state = snapshot;
    this.#isTold = false;
    const { position, first_seq, evicted_seq, event_log } = snapshot;
    if (position === null || position.epoch !== this.#epoch || this.#tail < first_seq) {
      this.#startOver(snapshot, reason);
      return;
    }
    const { startsOver = false } = this.#announced ?? {};
    this.#announced = { startsOver, reason: reason ?? this.#announced?.reason ?? null };
    // The entries above the newest one that was pushed out are all in the event log.
    const lowest = (evicted_seq ?? -1) + 1;
    this.#enqueueRange({ after: this.#tail, before: lowest, count: null });
    this.#enqueue(event_log);
    this.#tail = Math.max(this.#tail, position.seq);
  }

  #startOver(snapshot: DeliveredSnapshot, reason: string | null): void {
    const { position, first_seq, evicted_seq, event_log } = snapshot;
    // A life of the run that the subscriber has not seen anything of leaves nothing to miss.
    if (this.#announced?.startsOver !== true) this.#lost = this.#pendingAsLost() ?? this.#lost;
    this.#queue = [];
    this.#waiting = { entries: 0, bytes: 0 };
    this.#ids.clear();
    this.#endSeq = null;
    this.#announced = { startsOver: true, reason };
    this.#epoch = position?.epoch ?? null;
    const beginning = position === null ? -1 : first_seq - 1;
    this.#tail = this.#from === 'beginning' ? beginning : (evicted_seq ?? beginning);
    this.#handed = this.#tail;
    if (position === null) return;
    this.#enqueueRange({ after: this.#tail, before: (evicted_seq ?? -1) + 1, count: null });
    this.#enqueue(event_log);
    this.#tail = Math.max(this.#tail, position.seq);
  }

  #step({ snapshot, entries, skipped }: Extract<ReplicaUpdate, { kind: 'step' }>): void {
    this.#state = snapshot;
    this.#isTold = false;
    const { position } = snapshot;
    if (position === null) return;
    if (this.#epoch === null) {
      this.#epoch = position.epoch;
      this.#handed = snapshot.first_seq - 1;
      this.#tail = this.#handed;
    }
    if (skipped !== null) this.#enqueueRange(skipped);
    this.#enqueue(skipped === null ? entries : entries.filter(({ seq }) => seq >= skipped.before));
    this.#tail = Math.max(this.#tail, position.seq);
  }

  #enqueueRange(skipped: Skipped): void {
    const after = Math.max(this.#tail, skipped.after);
    if (skipped.before - 1 <= after) return;
    const count = after === skipped.after ? skipped.count : null;
    if (count !== 0) this.#queue.push({ kind: 'range', after, before: skipped.before, count, fetched: 0 });
    this.#tail = skipped.before - 1;
  }

  #enqueue(entries: readonly DeliveredEntry[]): void {
    const fresh = entries.filter(({ seq }) => seq > this.#tail);
    if (fresh.length === 0) return;
    const item = this.#counted(fresh);
    const last = this.#queue.at(-1);
    if (last?.kind === 'entries') {
      last.entries.push(...fresh);
      last.bytes += item.bytes;
    } else {
      this.#queue.push(item);
    }
    this.#tail = fresh.at(-1)!.seq;
  }

  #counted(entries: DeliveredEntry[]): Extract<Item, { kind: 'entries' }> {
    let bytes = 0;
    for (const entry of entries) bytes += roughBytes(entry);
    this.#waiting.entries += entries.length;
    this.#waiting.bytes += bytes;
    return { kind: 'entries', entries, bytes };
  }

  #takeEntries(): readonly DeliveredEntry[] {
    const head = this.#queue[0];
    if (head?.kind !== 'entries') {
      if (head === undefined) this.#handedUpTo(this.#tail);
      return [];
    }
    this.#queue.shift();
    this.#waiting.entries -= head.entries.length;
    this.#waiting.bytes -= head.bytes;
    for (const { metadata } of head.entries) this.#remember(String(metadata.event_id));
    this.#handedUpTo(this.#queue.length === 0 ? this.#tail : head.entries.at(-1)!.seq);
    return head.entries;
  }

  #stateWith(entries: readonly DeliveredEntry[]) {
    this.#isTold = true;
    const filtered = this.#filtered;
    this.#filtered = filtered === null ? null : 0;
    return { snapshot: this.#state!, entries, position: this.#position, filtered };
  }

  #handedUpTo(seq: number): void {
    this.#handed = Math.max(this.#handed, seq);
  }

  #noteEnd(): void {
    const { status, end } = this.#state!;
    const endSeq = status === 'running' ? null : (end?.seq ?? 0);
    if (status !== 'running' && endSeq !== this.#endSeq) this.#queue.push({ kind: 'end', status });
    this.#endSeq = endSeq;
  }

  /** Past the bound everything in the queue becomes one range, which is fetched when it is its turn. */
  #bound(): void {
    const { entries, bytes } = this.#waiting;
    if (entries <= this.#waitingMax.entries && bytes <= this.#waitingMax.bytes) return;
    const [head] = this.#queue;
    const count = countOf(this.#queue);
    const end = this.#queue.findLast((item) => item.kind === 'end');
    // A page of the head may be under way.
    const range: Range =
      head?.kind === 'range' ? head : { kind: 'range', after: this.#handed, before: 0, count, fetched: 0 };
    for (const item of this.#queue) {
      if (item.kind === 'range') range.fetched = Math.max(range.fetched, item.fetched);
    }
    range.before = this.#tail + 1;
    range.count = count;
    this.#queue = end === undefined ? [range] : [range, end];
    this.#waiting = { entries: 0, bytes: 0 };
  }

  /** Gives up a range at the head of the queue that is longer than may be fetched. */
  #judgeRange(): void {
    const head = this.#queue[0];
    if (head?.kind !== 'range') return;
    const left = this.#entriesMax - head.fetched;
    if (left <= 0 || (head.count ?? 0) > left) {
      this.missing(head, { before: head.before, reason: 'too_many' });
    }
  }

  #pendingAsLost(): (Gap & { readonly epoch: string }) | null {
    const isPending = this.#queue.some((item) => item.kind !== 'end');
    if (!isPending || this.#epoch === null) return null;
    const gap = { after: this.#handed, before: this.#tail + 1, count: countOf(this.#queue) } as const;
    return { kind: 'gap', ...gap, reason: 'no_such_run', epoch: this.#epoch };
  }

  #headIs(wanted: WantedRange): Range | null {
    const head = this.#queue[0];
    return head?.kind === 'range' && head === wanted ? head : null;
  }

  #remember(eventId: string): void {
    this.#ids.delete(eventId);
    this.#ids.add(eventId);
    if (this.#ids.size > IDS_MAX) this.#ids.delete(this.#ids.values().next().value!);
  }
}

/** The entries of a queue; null if some are not counted. */
function countOf(queue: readonly Item[]): number | null {
  let count = 0;
  for (const item of queue) {
    if (item.kind === 'end') continue;
    const here = item.kind === 'entries' ? item.entries.length : item.count;
    if (here === null) return null;
    count += here;
  }
  return count;
}

/** What an entry takes in memory, within a factor of two. */
function roughBytes(entry: DeliveredEntry): number {
  let bytes = 400 + 2 * entry.message.length;
  for (const fields of [entry.metadata, entry.values]) {
    for (const [name, value] of Object.entries(fields)) {
      bytes += 32 + name.length + (typeof value === 'string' ? 2 * value.length : 8);
    }
  }
  return bytes;
}
