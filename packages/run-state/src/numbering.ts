import { EMITTER_GAPS_MAX, EMITTERS_MAX } from '@runlog/schema/limits';
import type { EmitterState, RunSnapshot } from '@runlog/schema/run/snapshot';
import { hashEventId, windowHas } from './event-id-window.ts';

/** The effect that a number has on its emitter and on the run's counts, if it is not a repeat. */
export interface NumberStep {
  readonly emitter: Omit<EmitterState, 'seen'>;
  /** True if the run did not know the emitter, which then needs room (`withRoom`). */
  readonly isNew: boolean;
  /** To be added to the run's `missing`. */
  readonly missing: number;
  /** True if only the event id distinguished the event from a repeat. */
  readonly unsure: boolean;
}

/**
 * Emitters number their events 1, 2, 3 … per run. A number above `last` is new, and a jump opens a gap. A number inside a
 * gap closes a part of it. Any other number is a repeat, and the result is null. At or below an evicted gap the number is
 * not enough: there the event id decides, and the event counts as `unsure`. Requests may overtake each other, and retries
 * may come late.
 */
export function numberEvent(
  state: RunSnapshot,
  event: { emitterId: string; emitterSeq: number; eventId: string },
): NumberStep | null {
  return Object.hasOwn(state.emitters, event.emitterId) ? next(state, event) : first(state, event);
}

/** Says whether the run still knows the event id, for the cases that a number does not decide. */
function idIsKnown(state: RunSnapshot, eventId: string): boolean {
  return (
    windowHas(state.event_id_window, hashEventId(eventId)) ||
    state.event_log.some((entry) => entry.metadata.event_id === eventId) ||
    state.milestones.some((entry) => entry.metadata.event_id === eventId)
  );
}

type Unseen = NumberStep['emitter'];
type Step = NumberStep | null;

function first(state: RunSnapshot, event: { emitterSeq: number; eventId: string }): Step {
  const n = event.emitterSeq;
  if (state.emitters_evicted > 0) {
    // The emitter may be one whose numbering was forgotten. Then its earlier numbers prove nothing, and this event may be
    // a repeat.
    if (idIsKnown(state, event.eventId)) return null;
    return {
      emitter: { last: n, gaps: [], floor: n - 1, lost: null },
      isNew: true,
      missing: 0,
      unsure: true,
    };
  }
  const gaps: [number, number][] = n > 1 ? [[1, n - 1]] : [];
  return { emitter: { last: n, gaps, floor: 0, lost: 0 }, isNew: true, missing: n - 1, unsure: false };
}

function next(state: RunSnapshot, event: { emitterId: string; emitterSeq: number; eventId: string }): Step {
  const n = event.emitterSeq;
  const { last, gaps, floor, lost } = state.emitters[event.emitterId]!;
  const isNew = false;
  if (n === last + 1) return { emitter: { last: n, gaps, floor, lost }, isNew, missing: 0, unsure: false };
  if (n > last) {
    const opened = bounded({ last: n, gaps: [...gaps, [last + 1, n - 1]], floor, lost });
    return { emitter: opened, isNew, missing: n - 1 - last, unsure: false };
  }
  const index = gaps.findIndex(([from, to]) => from <= n && n <= to);
  if (index >= 0) {
    const [from, to] = gaps[index]!;
    const rest: [number, number][] = [];
    if (from < n) rest.push([from, n - 1]);
    if (n < to) rest.push([n + 1, to]);
    const healed = bounded({
      last,
      gaps: [...gaps.slice(0, index), ...rest, ...gaps.slice(index + 1)],
      floor,
      lost,
    });
    return { emitter: healed, isNew, missing: -1, unsure: false };
  }
  if (n > floor || lost === 0 || idIsKnown(state, event.eventId)) return null;
  if (lost === null) return { emitter: { last, gaps, floor, lost }, isNew, missing: 0, unsure: true };
  return { emitter: { last, gaps, floor, lost: lost - 1 }, isNew, missing: -1, unsure: true };
}

function bounded(emitter: Unseen): Unseen {
  if (emitter.gaps.length <= EMITTER_GAPS_MAX) return emitter;
  const [from, to] = emitter.gaps[0]!;
  return {
    last: emitter.last,
    gaps: emitter.gaps.slice(1),
    floor: Math.max(emitter.floor, to),
    lost: emitter.lost === null ? null : emitter.lost + (to - from + 1),
  };
}

/**
 * Returns the emitters without the one that has been silent for longest, or null if there is room for one more. Numbers
 * that the forgotten emitter missed stay counted.
 */
export function withRoom(state: RunSnapshot): RunSnapshot['emitters'] | null {
  const ids = Object.keys(state.emitters);
  if (ids.length < EMITTERS_MAX) return null;
  let oldest = ids[0]!;
  for (const id of ids) {
    if (state.emitters[id]!.seen < state.emitters[oldest]!.seen) oldest = id;
  }
  const { [oldest]: _, ...emitters } = state.emitters;
  return emitters;
}
