import { EMITTER_GAPS_MAX, EMITTER_IDS_MAX, RUN_EMITTER_IDS_MAX, RUN_GAPS_MAX } from '@runlog/schema/limits';
import type { EmitterState, RunSnapshot } from '@runlog/schema/run/snapshot';
import { windowHas } from './event-id-window.ts';
import { idAt, idsAfter, idsWith, newestIds } from './newest-ids.ts';

/** The numbering of an emitter after a number, and the ids of its newest numbers. */
export interface Numbered {
  readonly emitter: Omit<EmitterState, 'seen' | 'ids'>;
  readonly ids: string;
}

/** The effect that a number has on its emitter and on the run's counts. */
export type NumberStep =
  /** The event is known, and changes nothing. */
  | { readonly kind: 'repeat' }
  /** The number is taken by another event. This one is new, and nothing is known to be missing or healed by it. */
  | { readonly kind: 'conflict' }
  | (Numbered & {
      readonly kind: 'new';
      /** Whether the run did not know the emitter, which then needs room (`evictedFor`). */
      readonly isFirst: boolean;
      /** To be added to the run's `missing`. */
      readonly missing: number;
      /** True if only the event id distinguished the event from a repeat. */
      readonly unsure: boolean;
    });

export interface NumberedEvent {
  readonly emitterId: string;
  readonly emitterSeq: number;
  readonly eventId: string;
  /** `hashEventId(eventId)`. */
  readonly hash: string;
}

/** The number of gaps and of ids that each emitter of a run may keep. */
export interface EmitterShares {
  readonly gapsMax: number;
  readonly idsMax: number;
}

/** All emitters of a run have the same share of what the run may keep, so that a snapshot stays bounded. */
export function sharesOf(emitters: number): EmitterShares {
  return {
    gapsMax: Math.min(EMITTER_GAPS_MAX, Math.floor(RUN_GAPS_MAX / Math.max(emitters, 1))),
    idsMax: Math.min(EMITTER_IDS_MAX, Math.floor(RUN_EMITTER_IDS_MAX / Math.max(emitters, 1))),
  };
}

/**
 * Emitters number their events 1, 2, 3 … per run. A number above `last` is new, and a jump opens a gap. A number inside a
 * gap closes a part of it. Any other number is a repeat if it comes with the event id that it came with before, or if that
 * id is no longer kept. With another id, the event is new and its number a conflict. At or below a forgotten gap the number
 * is not enough: there the event id decides, and the event counts as `unsure`. Requests may overtake each other, and
 * retries may come late.
 */
export function numberEvent(state: RunSnapshot, event: NumberedEvent, shares: EmitterShares): NumberStep {
  return Object.hasOwn(state.emitters, event.emitterId)
    ? next(state, event, shares)
    : first(state, event, shares);
}

/** Says whether the run still knows the event id, for the cases that a number does not decide. */
function idIsKnown(state: RunSnapshot, { eventId, hash }: NumberedEvent): boolean {
  return (
    windowHas(state.event_id_window, hash) ||
    state.event_log.some((entry) => entry.metadata.event_id === eventId) ||
    state.milestones.some((entry) => entry.metadata.event_id === eventId)
  );
}

const repeat: NumberStep = { kind: 'repeat' };
const conflict: NumberStep = { kind: 'conflict' };

function first(state: RunSnapshot, event: NumberedEvent, shares: EmitterShares): NumberStep {
  const { emitterSeq: n, hash } = event;
  // The numbers before it may come later, and then with their ids.
  const ids = idsAfter('', { skipped: n - 1, hash, idsMax: shares.idsMax });
  if (state.emitters_evicted === 0) {
    const gaps: [number, number][] = n > 1 ? [[1, n - 1]] : [];
    const emitter = { last: n, gaps };
    return { kind: 'new', emitter, ids, isFirst: true, missing: n - 1, unsure: false };
  }
  // The emitter may be one whose numbering was forgotten. Then its earlier numbers prove nothing, and this event may be
  // a repeat.
  if (idIsKnown(state, event)) return repeat;
  const emitter =
    n > 1 ? { last: n, gaps: [], forgotten: { through: n - 1, missing: null } } : { last: n, gaps: [] };
  return { kind: 'new', emitter, ids, isFirst: true, missing: 0, unsure: true };
}

function next(state: RunSnapshot, event: NumberedEvent, shares: EmitterShares): NumberStep {
  const { emitterId, emitterSeq: n, hash } = event;
  const emitter = state.emitters[emitterId]!;
  const { last, gaps, ids } = emitter;
  const step = { kind: 'new', isFirst: false, unsure: false } as const;
  if (n > last) {
    const opened: [number, number][] = n > last + 1 ? [...gaps, [last + 1, n - 1]] : gaps;
    return {
      ...step,
      emitter: withGaps(emitter, { last: n, gaps: opened, gapsMax: shares.gapsMax }),
      ids: idsAfter(ids, { skipped: n - last - 1, hash, idsMax: shares.idsMax }),
      missing: n - last - 1,
    };
  }
  const index = gaps.findIndex(([from, to]) => from <= n && n <= to);
  if (index >= 0) {
    const healed = withGaps(emitter, {
      last,
      gaps: gapsWithout(gaps, { index, n }),
      gapsMax: shares.gapsMax,
    });
    return { ...step, emitter: healed, ids: idsWith(ids, { back: last - n, hash }), missing: -1 };
  }
  const known = idAt(ids, { back: last - n, idsMax: shares.idsMax });
  if (known !== null) {
    return known === hash || windowHas(state.event_id_window, hash) ? repeat : conflict;
  }
  const { forgotten } = emitter;
  if (forgotten === undefined || n > forgotten.through || forgotten.missing === 0) return repeat;
  if (idIsKnown(state, event)) return repeat;
  const { through, missing } = forgotten;
  const fewer = { through, missing: missing === null ? null : missing - 1 };
  return {
    ...step,
    emitter: { last, gaps, forgotten: fewer },
    ids: idsWith(ids, { back: last - n, hash }),
    missing: missing === null ? 0 : -1,
    unsure: true,
  };
}

function gapsWithout(
  gaps: EmitterState['gaps'],
  { index, n }: { index: number; n: number },
): EmitterState['gaps'] {
  const [from, to] = gaps[index]!;
  const rest: [number, number][] = [];
  if (from < n) rest.push([from, n - 1]);
  if (n < to) rest.push([n + 1, to]);
  return [...gaps.slice(0, index), ...rest, ...gaps.slice(index + 1)];
}

/** Gives an emitter other gaps, and forgets the oldest of those that are too many. */
function withGaps(
  { forgotten }: Pick<EmitterState, 'forgotten'>,
  to: { last: number; gaps: EmitterState['gaps']; gapsMax: number },
): Numbered['emitter'] {
  const { last, gaps, gapsMax } = to;
  const excess = gaps.length - gapsMax;
  if (excess <= 0) return forgotten === undefined ? { last, gaps } : { last, gaps, forgotten };
  let through = forgotten?.through ?? 0;
  let missing = forgotten === undefined ? 0 : forgotten.missing;
  for (const [from, end] of gaps.slice(0, excess)) {
    through = Math.max(through, end);
    if (missing !== null) missing += end - from + 1;
  }
  return { last, gaps: gaps.slice(excess), forgotten: { through, missing } };
}

/** Returns the emitter without the gaps and ids that its share has no room for, or the same one if there is room. */
export function withinShare(emitter: EmitterState, { gapsMax, idsMax }: EmitterShares): EmitterState {
  const ids = newestIds(emitter.ids, idsMax);
  if (emitter.gaps.length <= gapsMax && ids === emitter.ids) return emitter;
  const { last, gaps, seen } = emitter;
  return { ...withGaps(emitter, { last, gaps, gapsMax }), seen, ids };
}

/**
 * Returns the emitter to forget when there is no room for one more: among those without gaps the one that has been silent
 * for longest, because forgetting it costs no knowledge of what is missing; if all have gaps, the most silent of all.
 */
export function evictedFor(emitters: RunSnapshot['emitters']): string {
  let chosen: string | null = null;
  for (const id of Object.keys(emitters)) {
    if (chosen === null || isEvictedBefore(emitters[id]!, emitters[chosen]!)) chosen = id;
  }
  if (chosen === null) throw new Error('no emitter to evict');
  return chosen;
}

function isEvictedBefore(left: EmitterState, right: EmitterState): boolean {
  const leftHasGaps = hasGaps(left);
  if (leftHasGaps !== hasGaps(right)) return !leftHasGaps;
  return left.seen < right.seen;
}

/** Says whether numbers of this emitter have not arrived, or may not have. */
export function hasGaps({ gaps, forgotten }: Pick<EmitterState, 'gaps' | 'forgotten'>): boolean {
  return gaps.length > 0 || (forgotten !== undefined && forgotten.missing !== 0);
}
