import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { GapRow, GapState } from '../log/gap-rows.ts';

/** Gaps of one emitter that are listed: the newest. */
export const GAPS_LISTED_MAX = 50;

/** How complete a run is: the numbers that have to agree, and those of each emitter. */
export interface ProofModel {
  /** Events that were sent: received − duplicates + missing. */
  readonly emitted: number;
  readonly received: number;
  readonly duplicates: number;
  readonly missing: number;
  /** Whether `missing` and `emitted` are exact. They are at least so many if not. */
  readonly isExact: boolean;
  readonly conflicts: number;
  readonly unsure: number;
  /** Events whose emitter gave them no number. Null if that cannot be told. */
  readonly unnumbered: number | null;
  /** Emitters whose numbering was forgotten. */
  readonly forgottenEmitters: number;
  readonly emitters: readonly EmitterLine[];
}

export interface EmitterLine {
  readonly id: string;
  /** The highest number that arrived. */
  readonly last: number;
  /** The numbers up to it that arrived. */
  readonly arrived: number;
  readonly missing: number;
  readonly isExact: boolean;
  /** Newest first. */
  readonly gaps: readonly GapInProof[];
  readonly gapsLeftOut: number;
  /** Its newest record. */
  readonly seenSeq: number;
}

export interface GapInProof {
  readonly from: number;
  readonly to: number;
  /** How many of its numbers are missing; none if it has closed. */
  readonly count: number;
  readonly state: GapState;
  /** Since when, by the server's clock; null if it opened before this page looked. */
  readonly sinceMs: number | null;
  /** The event behind which it is in the log; null if that is not known. */
  readonly after: number | null;
}

type Counted = Pick<
  DeliveredSnapshot,
  | 'total_events_received'
  | 'duplicates'
  | 'missing'
  | 'missing_is_exact'
  | 'conflicts'
  | 'unsure'
  | 'emitters'
  | 'emitters_evicted'
  | 'status'
>;

/** `known` are the gaps that the log follows, which say since when a gap is open and which have closed. */
export function proofOf(snapshot: Counted, known: readonly GapRow[]): ProofModel {
  const { total_events_received: received, duplicates, missing, status } = snapshot;
  const numbered = known.filter(({ cause }) => cause === 'numbers');
  const emitters = Object.entries(snapshot.emitters).map(([id, emitter]) =>
    emitterLine({ id, emitter, isOver: status !== 'running' }, ofEmitter(numbered, id)),
  );
  const arrived = emitters.reduce((sum, emitter) => sum + emitter.arrived, 0);
  const unnumbered = received - duplicates - snapshot.conflicts - arrived;
  const canTell = snapshot.emitters_evicted === 0 && emitters.every(({ isExact }) => isExact);
  return {
    ...{ emitted: received - duplicates + missing, received, duplicates, missing },
    isExact: snapshot.missing_is_exact,
    ...{ conflicts: snapshot.conflicts, unsure: snapshot.unsure },
    unnumbered: canTell && unnumbered >= 0 ? unnumbered : null,
    forgottenEmitters: snapshot.emitters_evicted,
    emitters,
  };
}

function ofEmitter(known: readonly GapRow[], id: string): readonly GapRow[] {
  return known.filter(({ emitterId }) => emitterId === id);
}

function emitterLine(
  of: { id: string; emitter: DeliveredSnapshot['emitters'][string]; isOver: boolean },
  known: readonly GapRow[],
): EmitterLine {
  const { id, emitter, isOver } = of;
  const { last, gaps, forgotten, seen } = emitter;
  const inGaps = gaps.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const missing = inGaps + (forgotten?.missing ?? 0);
  const open = gaps.map(([from, to]) => openGap([from, to], { known, isOver }));
  const closed = known.filter(({ from, to, state }) => state !== 'waiting' && !open.some(within(from, to)));
  const all = [...open, ...closed.map(closedGap)].sort((one, other) => other.from - one.from);
  return {
    ...{ id, last, arrived: last - missing, missing, seenSeq: seen },
    isExact: forgotten === undefined || forgotten.missing !== null,
    gaps: all.slice(0, GAPS_LISTED_MAX),
    gapsLeftOut: Math.max(0, all.length - GAPS_LISTED_MAX),
  };
}

/** A gap that has closed in part is the same one for the log, which knows since when it is open. */
function openGap(
  [from, to]: readonly [number, number],
  { known, isOver }: { known: readonly GapRow[]; isOver: boolean },
): GapInProof {
  const row = known.find((candidate) => candidate.from <= from && to <= candidate.to);
  return {
    ...{ from, to, count: to - from + 1, state: isOver ? 'not_coming' : 'waiting' },
    sinceMs: row?.sinceMs ?? null,
    after: row?.after ?? null,
  };
}

function closedGap({ from, to, missing, state, sinceMs, after }: GapRow): GapInProof {
  return { from, to, count: missing ?? 0, state, sinceMs, after };
}

const within = (from: number, to: number) => (gap: GapInProof) => from <= gap.from && gap.to <= to;
