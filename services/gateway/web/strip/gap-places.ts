import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { SeqRange } from './abandoned.ts';
import { eventsBefore, fractionOfSeq, type RunAxis, seqOfOrdinal } from './run-axis.ts';

type Gap = RunTimeline['gaps'][number];

/** Where in the log an emitter's missing numbers belong. */
export interface GapPlace extends SeqRange {
  readonly gap: Gap;
  /** The number of numbers that are missing. */
  readonly missing: number;
  /** Whether nobody saw the gap open, so that its place follows from the emitter's numbers. */
  readonly isEstimate: boolean;
}

/** A gap whose place is known: it lies between the event before it and the event that opened it. */
export interface KnownGap extends SeqRange {
  readonly emitter_id: string;
  readonly from: number;
}

/**
 * Returns where the gaps lie. An emitter's numbers grow with its events, so a gap lies after as large a part of the run as
 * the emitter had sent by then. That is exact while a run has one emitter, and near where several began together.
 */
export function gapPlaces(
  axis: RunAxis,
  of: {
    gaps: readonly Gap[];
    emitters?: DeliveredSnapshot['emitters'] | undefined;
    known?: readonly KnownGap[] | undefined;
  },
): GapPlace[] {
  const known = new Map((of.known ?? []).map((gap) => [nameOf(gap), gap]));
  return of.gaps.map((gap) => {
    const missing = gap.to - gap.from + 1;
    const seen = known.get(nameOf(gap));
    if (seen !== undefined) {
      return { gap, missing, isEstimate: false, fromSeq: seen.fromSeq, toSeq: seen.toSeq };
    }
    const before = eventsBeforeGap(axis, { gap, gaps: of.gaps, emitter: of.emitters?.[gap.emitter_id] });
    return {
      ...{ gap, missing, isEstimate: true },
      fromSeq: seqOfOrdinal(axis, before - 1),
      toSeq: seqOfOrdinal(axis, before),
    };
  });
}

function eventsBeforeGap(
  axis: RunAxis,
  of: { gap: Gap; gaps: readonly Gap[]; emitter: DeliveredSnapshot['emitters'][string] | undefined },
): number {
  const { gap, emitter } = of;
  const own = of.gaps.filter(({ emitter_id: id }) => id === gap.emitter_id);
  const missingBelow = (number: number) =>
    own.reduce((sum, { from, to }) => (to < number ? sum + to - from + 1 : sum), 0);
  const arrived = gap.from - 1 - missingBelow(gap.from);
  if (emitter === undefined) return arrived;
  const arrivedInAll = emitter.last - missingBelow(emitter.last);
  return (arrived / Math.max(1, arrivedInAll)) * (eventsBefore(axis, fractionOfSeq(axis, emitter.seen)) + 1);
}

function nameOf({ emitter_id: id, from }: Pick<Gap, 'emitter_id' | 'from'>): string {
  return `${id} ${from}`;
}
