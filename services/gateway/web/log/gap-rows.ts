import type { GapReason } from '@runlog/client/run-update';
import { instantOf } from '@runlog/schema/events/instant';
import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';

/** A place of the log where events are missing. */
export interface GapRow {
  readonly kind: 'gap';
  readonly id: string;
  /** The row stands behind the entry of this seq, before the next one. */
  readonly after: number;
  /**
   * `numbers`: numbers that an emitter gave to events which have not arrived. `stream`: entries that the log has and that
   * were not handed to this page.
   */
  readonly cause: 'numbers' | 'stream';
  /** Whose numbers they are; null for a gap of the stream. */
  readonly emitterId: string | null;
  /** The first and the last number that is missing; in a gap of the stream seqs. */
  readonly from: number;
  readonly to: number;
  /** How many were missing when the gap was found; null if that is not known. */
  readonly count: number | null;
  /** How many are still missing; null if that is not known. */
  readonly missing: number | null;
  readonly state: GapState;
  /** Since when they are missing, by the server's clock, in milliseconds; null if it was before anybody here looked. */
  readonly sinceMs: number | null;
  /** The time as of which the row stands so, in milliseconds since 1970; absent: now. */
  readonly asOfMs?: number;
  /** Why the stream left them out; null for numbers. */
  readonly reason: GapReason | null;
  /** Whether the history was asked for them in vain. */
  readonly hasFailed?: boolean;
}

/**
 * `waiting`: they may still come. `recovered`: all of them arrived. `not_coming`: the run ended without them, or nobody
 * waits for them any more.
 */
export type GapState = 'waiting' | 'recovered' | 'not_coming';

/** Whether the history may have what a gap of the stream left out. */
export function canBeFilled({ cause, reason }: Pick<GapRow, 'cause' | 'reason'>): boolean {
  return cause === 'stream' && (reason === 'too_many' || reason === 'unavailable');
}

/** Beyond it, gaps that are closed are dropped first, then the oldest. */
const ROWS_MAX = 1_000;
/** Events of the past that are remembered for gaps that are not known yet. Beyond it, those noted first are forgotten. */
const REMEMBERED_MAX = 20_000;

type Emitter = DeliveredSnapshot['emitters'][string];
/** The state of a run, as far as gaps follow from it. */
export type RunWithGaps = Pick<DeliveredSnapshot, 'emitters' | 'position' | 'status'>;

interface Tracked {
  row: GapRow;
  /** Whether it is known behind which entry the row stands. A gap without a place is not shown. */
  hasPlace: boolean;
  /** Whether nothing can change it any more. */
  isClosed: boolean;
}

/** Where an event is in the log, and when it came, in milliseconds since 1970; null if that is not known. */
interface Arrival {
  readonly seq: number;
  readonly receivedMs: number | null;
}

/**
 * Follows the gaps of a run: of its emitters' numbers, through snapshot after snapshot, and of the stream. A gap that opens
 * while the page looks on stands where the page was; one that was there before gets its place from the history, once the
 * event behind it is loaded. Of a run as it was (`isPast`) no gap opens while somebody looks on, and the history may be read
 * before the state.
 */
export class GapRows {
  readonly #isPast: boolean;
  /** By the ids of their rows, the oldest first. */
  readonly #tracked = new Map<string, Tracked>();
  /** Those of numbers that are not closed, by emitter. */
  readonly #open = new Map<string, Set<Tracked>>();
  /** The emitters of the last snapshot. Those that are the same objects are not compared again. */
  #emitters: Readonly<Record<string, Emitter>> | null = null;
  /** Events of the past, by `nameOf`. */
  readonly #remembered = new Map<string, Arrival>();
  #seq = -1;
  #isOver = false;
  #rows: readonly GapRow[] | null = [];

  constructor({ isPast = false }: { isPast?: boolean } = {}) {
    this.#isPast = isPast;
  }

  /** In the order of their places. A row that changes is another object with the same id. */
  get rows(): readonly GapRow[] {
    this.#rows ??= [...this.#tracked.values()]
      .filter(({ hasPlace }) => hasPlace)
      .map(({ row }) => row)
      .sort((one, other) => one.after - other.after);
    return this.#rows;
  }

  /** The newest gap of which nobody knows the place; null if there is none. */
  get placeless(): GapRow | null {
    let newest: GapRow | null = null;
    for (const { hasPlace, row } of this.#tracked.values()) if (!hasPlace) newest = row;
    return newest;
  }

  /** Takes the newest state of the run. `nowMs` is the server's time, or the time of that state. */
  noteSnapshot({ emitters, position, status }: RunWithGaps, nowMs: number): void {
    const isOver = status !== 'running';
    const before = this.#emitters;
    for (const [id, emitter] of Object.entries(emitters)) {
      if (before !== null && before[id] === emitter) continue;
      const knownTo = before?.[id]?.last ?? -1;
      for (const gap of emitter.gaps)
        if (gap[0] > knownTo) this.#noteGap(id, gap, before === null ? null : nowMs);
    }
    for (const [id, open] of this.#open) {
      if (isOver === this.#isOver && before !== null && before[id] === emitters[id]) continue;
      for (const tracked of open) this.#judge(tracked, { emitter: emitters[id], isOver });
    }
    if (this.#isPast) this.#standAsOf(nowMs);
    this.#emitters = emitters;
    this.#seq = position?.seq ?? -1;
    this.#isOver = isOver;
    this.#bound();
  }

  /** Takes a gap of the stream. */
  noteStream(
    gap: { after: number; before: number; count: number | null; reason: GapReason },
    nowMs: number,
  ): void {
    const { after, before, count, reason } = gap;
    const id = `gap-stream-${after}`;
    if (this.#tracked.has(id)) return;
    this.#add({
      hasPlace: true,
      isClosed: true,
      row: {
        ...{ kind: 'gap', id, after, cause: 'stream', emitterId: null, from: after + 1, to: before - 1 },
        ...{ count, missing: count, state: 'not_coming', sinceMs: nowMs, reason },
      },
    });
    this.#bound();
  }

  /**
   * A gap of the stream was filled with what the history has. It goes, unless the history itself begins behind its beginning
   * (`oldest`): then what is no longer kept stays missing.
   */
  fillStream(after: number, oldest = 0): void {
    const id = `gap-stream-${after}`;
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return;
    const { row } = tracked;
    if (oldest <= after + 1) this.#tracked.delete(id);
    else {
      const to = Math.min(row.to, oldest - 1);
      tracked.row = { ...row, to, count: null, missing: null, reason: 'history_gone' };
    }
    this.#rows = null;
  }

  /** A gap of the stream could not be filled. */
  failStream(after: number): void {
    this.#setFailed(true, ({ id }) => id === `gap-stream-${after}`);
  }

  /** What could not be filled may be tried again. */
  retryStream(): void {
    this.#setFailed(false, ({ hasFailed }) => hasFailed === true);
  }

  #setFailed(hasFailed: boolean, isMeant: (row: GapRow) => boolean): void {
    for (const tracked of this.#tracked.values()) {
      if (!isMeant(tracked.row)) continue;
      tracked.row = { ...tracked.row, hasFailed };
      this.#rows = null;
    }
  }

  /** Finds the places of gaps in events of the history: each stands before the event whose number follows it. */
  noteHistory(events: readonly StoredEvent[]): void {
    const sought = new Map<string, Tracked>();
    for (const tracked of this.#tracked.values()) {
      const { emitterId, to } = tracked.row;
      if (emitterId !== null) sought.set(nameOf(emitterId, to + 1), tracked);
    }
    if (sought.size === 0 && !this.#isPast) return;
    for (const { seq, event, received_at, duplicate } of events) {
      const { emitter_id, emitter_seq } = event;
      if (typeof emitter_id !== 'string' || duplicate === true) continue;
      const name = nameOf(emitter_id, Number(emitter_seq));
      const arrival = { seq, receivedMs: received_at === null ? null : instantOf(received_at) };
      if (this.#isPast) this.#remember(name, arrival);
      const tracked = sought.get(name);
      if (tracked !== undefined) this.#place(tracked, arrival);
    }
  }

  /** Gives a gap that has no place the one behind a seq. */
  placeAt(id: string, after: number): void {
    const tracked = this.#tracked.get(id);
    if (tracked?.hasPlace === false) this.#place(tracked, { seq: after + 1, receivedMs: null });
  }

  /** `sinceMs`: when it opened; null if that was before anybody looked. */
  #noteGap(emitterId: string, [from, to]: readonly [number, number], sinceMs: number | null): void {
    const id = `gap-${emitterId}-${from}`;
    if (this.#tracked.get(id)?.isClosed === false) return;
    const count = to - from + 1;
    const tracked: Tracked = {
      hasPlace: sinceMs !== null && !this.#isPast,
      isClosed: false,
      row: {
        ...{ kind: 'gap', id, after: this.#seq, cause: 'numbers', emitterId, from, to },
        ...{ count, missing: count, state: 'waiting', sinceMs, reason: null },
      },
    };
    this.#add(tracked);
    const open = this.#open.get(emitterId);
    if (open === undefined) this.#open.set(emitterId, new Set([tracked]));
    else open.add(tracked);
    const arrival = this.#remembered.get(nameOf(emitterId, to + 1));
    if (arrival !== undefined) this.#place(tracked, arrival);
  }

  #remember(name: string, arrival: Arrival): void {
    this.#remembered.set(name, arrival);
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    const [first] = this.#remembered.keys();
    this.#remembered.delete(first!);
  }

  #place(tracked: Tracked, { seq, receivedMs }: Arrival): void {
    if (tracked.hasPlace && tracked.row.after === seq - 1) return;
    tracked.row = { ...tracked.row, after: seq - 1, sinceMs: receivedMs ?? tracked.row.sinceMs };
    tracked.hasPlace = true;
    this.#rows = null;
  }

  #judge(tracked: Tracked, { emitter, isOver }: { emitter: Emitter | undefined; isOver: boolean }): void {
    const { emitterId, from, to, missing } = tracked.row;
    const left = emitter === undefined ? null : missingWithin(emitter, { from, to });
    // Whoever is no longer known, or whose old gaps were given up, is not waited for. What arrived before stays arrived.
    const isGivenUp = left === null;
    const now = left ?? missing;
    const state: GapState = now === 0 ? 'recovered' : isGivenUp || isOver ? 'not_coming' : 'waiting';
    if (now === 0 || isGivenUp) this.#close(tracked, emitterId!);
    if (state === tracked.row.state && now === missing) return;
    tracked.row = { ...tracked.row, state, missing: now };
    this.#rows = null;
  }

  #close(tracked: Tracked, emitterId: string): void {
    tracked.isClosed = true;
    const open = this.#open.get(emitterId);
    open?.delete(tracked);
    if (open?.size === 0) this.#open.delete(emitterId);
  }

  /** How long somebody has waited is told as of the state that is shown. */
  #standAsOf(asOfMs: number): void {
    for (const open of this.#open.values()) {
      for (const tracked of open) tracked.row = { ...tracked.row, asOfMs };
    }
    this.#rows = null;
  }

  #add(tracked: Tracked): void {
    this.#tracked.set(tracked.row.id, tracked);
    this.#rows = null;
  }

  #bound(): void {
    const excess = this.#tracked.size - ROWS_MAX;
    if (excess <= 0) return;
    const all = [...this.#tracked.values()];
    const closed = all.filter(({ isClosed }) => isClosed).slice(0, excess);
    const oldest = all.filter(({ isClosed }) => !isClosed).slice(0, excess - closed.length);
    for (const tracked of [...closed, ...oldest]) {
      this.#tracked.delete(tracked.row.id);
      if (tracked.row.emitterId !== null) this.#close(tracked, tracked.row.emitterId);
    }
    this.#rows = null;
  }
}

/** An event by its number. */
function nameOf(emitterId: string, number: number): string {
  return `${number} ${emitterId}`;
}

/** How many numbers of a range an emitter still misses, or null if they were given up. */
function missingWithin(
  { gaps, forgotten }: Emitter,
  { from, to }: { from: number; to: number },
): number | null {
  let missing = 0;
  for (const [start, end] of gaps) {
    if (start <= to && from <= end) missing += Math.min(end, to) - Math.max(start, from) + 1;
  }
  const isGivenUp =
    missing === 0 && forgotten !== undefined && forgotten.through >= from && forgotten.missing !== 0;
  return isGivenUp ? null : missing;
}
