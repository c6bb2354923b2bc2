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

type Emitter = DeliveredSnapshot['emitters'][string];
type Seen = Pick<DeliveredSnapshot, 'emitters' | 'position' | 'status'>;

interface Tracked {
  row: GapRow;
  /** Whether it is known behind which entry the row stands. A gap without a place is not shown. */
  hasPlace: boolean;
  /** Whether nothing can change it any more. */
  isClosed: boolean;
}

/**
 * Follows the gaps of a run: of its emitters' numbers, through snapshot after snapshot, and of the stream. A gap that opens
 * while the page looks on stands where the page was; one that was there before gets its place from the history, once the
 * event behind it is loaded.
 */
export class GapRows {
  #tracked: Tracked[] = [];
  /** The emitters of the last snapshot. Those that are the same objects are not compared again. */
  #emitters: Readonly<Record<string, Emitter>> | null = null;
  #seq = -1;
  #isOver = false;
  #rows: readonly GapRow[] | null = [];

  /** In the order of their places. A row that changes is another object with the same id. */
  get rows(): readonly GapRow[] {
    this.#rows ??= this.#tracked
      .filter(({ hasPlace }) => hasPlace)
      .map(({ row }) => row)
      .sort((one, other) => one.after - other.after);
    return this.#rows;
  }

  /** Takes the newest state of the run. `nowMs` is the server's time. */
  noteSnapshot({ emitters, position, status }: Seen, nowMs: number): void {
    const isOver = status !== 'running';
    const before = this.#emitters;
    for (const [id, emitter] of Object.entries(emitters)) {
      if (before !== null && before[id] === emitter) continue;
      for (const gap of emitter.gaps) this.#noteGap(id, gap, { nowMs: before === null ? null : nowMs });
    }
    for (const tracked of this.#tracked) {
      const { emitterId } = tracked.row;
      if (emitterId === null || tracked.isClosed) continue;
      const emitter = emitters[emitterId];
      if (isOver === this.#isOver && before !== null && before[emitterId] === emitter) continue;
      this.#judge(tracked, { emitter, isOver });
    }
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
    if (this.#tracked.some(({ row }) => row.id === id)) return;
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
    const at = this.#tracked.findIndex(({ row }) => row.id === `gap-stream-${after}`);
    const tracked = this.#tracked[at];
    if (tracked === undefined) return;
    const { row } = tracked;
    if (oldest <= after + 1) this.#tracked.splice(at, 1);
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
    for (const tracked of this.#tracked) {
      if (!isMeant(tracked.row)) continue;
      tracked.row = { ...tracked.row, hasFailed };
      this.#rows = null;
    }
  }

  /** Finds the places of gaps in events of the history: each stands before the event whose number follows it. */
  noteHistory(events: readonly StoredEvent[]): void {
    const sought = new Map<string, Tracked>();
    for (const tracked of this.#tracked) {
      const { emitterId, to } = tracked.row;
      if (emitterId !== null) sought.set(`${to + 1} ${emitterId}`, tracked);
    }
    if (sought.size === 0) return;
    for (const { seq, event, received_at, duplicate } of events) {
      const { emitter_id, emitter_seq } = event;
      if (typeof emitter_id !== 'string' || duplicate === true) continue;
      const tracked = sought.get(`${emitter_seq} ${emitter_id}`);
      if (tracked === undefined) continue;
      const sinceMs = received_at === null ? tracked.row.sinceMs : instantOf(received_at);
      if (tracked.hasPlace && tracked.row.after === seq - 1) continue;
      tracked.row = { ...tracked.row, after: seq - 1, sinceMs };
      tracked.hasPlace = true;
      this.#rows = null;
    }
  }

  /** Begins anew, as after a run that was deleted and came again. */
  clear(): void {
    this.#tracked = [];
    this.#emitters = null;
    this.#seq = -1;
    this.#isOver = false;
    this.#rows = null;
  }

  #noteGap(
    emitterId: string,
    [from, to]: readonly [number, number],
    { nowMs }: { nowMs: number | null },
  ): void {
    const isKnown = this.#tracked.some(
      ({ row }) =>
        row.emitterId === emitterId && row.from <= from && to <= row.to && row.state !== 'recovered',
    );
    if (isKnown) return;
    const count = to - from + 1;
    const id = `gap-${emitterId}-${from}`;
    this.#add({
      hasPlace: nowMs !== null,
      isClosed: false,
      row: {
        ...{
          kind: 'gap',
          id,
          after: this.#seq,
          cause: 'numbers',
          emitterId,
          from,
          to,
          count,
          missing: count,
        },
        ...{ state: 'waiting', sinceMs: nowMs, reason: null },
      },
    });
  }

  #judge(tracked: Tracked, { emitter, isOver }: { emitter: Emitter | undefined; isOver: boolean }): void {
    const { from, to, missing } = tracked.row;
    const left = emitter === undefined ? null : missingWithin(emitter, { from, to });
    // Whoever is no longer known, or whose old gaps were given up, is not waited for. What arrived before stays arrived.
    const isGivenUp = left === null;
    const now = left ?? missing;
    const state: GapState = now === 0 ? 'recovered' : isGivenUp || isOver ? 'not_coming' : 'waiting';
    tracked.isClosed = now === 0 || isGivenUp;
    if (state === tracked.row.state && now === missing) return;
    tracked.row = { ...tracked.row, state, missing: now };
    this.#rows = null;
  }

  #add(tracked: Tracked): void {
    this.#tracked.push(tracked);
    this.#rows = null;
  }

  #bound(): void {
    if (this.#tracked.length <= ROWS_MAX) return;
    const excess = this.#tracked.length - ROWS_MAX;
    const closed = this.#tracked.filter(({ isClosed }) => isClosed).slice(0, excess);
    const oldest = this.#tracked.filter(({ isClosed }) => !isClosed).slice(0, excess - closed.length);
    const dropped = new Set([...closed, ...oldest]);
    this.#tracked = this.#tracked.filter((tracked) => !dropped.has(tracked));
    this.#rows = null;
  }
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
