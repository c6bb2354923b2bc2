import type { RunTimeline } from '@runlog/schema/http/gateway-api';

/** A part of the log, both ends included. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/**
 * Returns the parts of a run that a later attempt did not go on from: all of an attempt if the next one began with the first
 * episode, else what came after the episode that a later one resumed from. They are as exact as the landmarks are close.
 */
export function abandonedParts({
  landmarks,
  attempts,
  attempt,
  first_seq: firstSeq,
}: Pick<RunTimeline, 'landmarks' | 'attempts' | 'attempt' | 'first_seq'>): SeqRange[] {
  const parts: SeqRange[] = [];
  /** The lowest episode that an attempt after this one began with. */
  let resumedFrom = Number.POSITIVE_INFINITY;
  for (let index = attempts.length - 1; index >= 0; index -= 1) {
    const { seq: toSeq, episode } = attempts[index]!;
    resumedFrom = Math.min(resumedFrom, episode);
    const before = attempts[index - 1];
    const since = before?.seq ?? firstSeq;
    // Events may come before the run's first TRAINING_STARTED, which abandons none of them.
    if (before === undefined && attempt <= attempts.length) break;
    const fromSeq = abandonedSince({ landmarks, since, toSeq, resumedFrom, episode: before?.episode ?? 0 });
    if (fromSeq !== null) parts.unshift({ fromSeq, toSeq });
  }
  return parts;
}

function abandonedSince(of: {
  landmarks: RunTimeline['landmarks'];
  since: number;
  toSeq: number;
  resumedFrom: number;
  /** The episode that the attempt itself began with. */
  episode: number;
}): number | null {
  const { landmarks, since, toSeq, resumedFrom, episode } = of;
  if (resumedFrom <= episode) return since;
  const beyond = landmarks.find(([seq, , , at]) => seq > since && seq < toSeq && at >= resumedFrom);
  return beyond?.[0] ?? null;
}
