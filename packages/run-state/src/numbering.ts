import { EMITTER_GAPS_MAX, EMITTERS_MAX } from '@runlog/schema/limits';
import type { EmitterState, RunSnapshot } from '@runlog/schema/snapshot';

/** What a number decides about its event, and the run's numbering after it. */
export interface Numbered {
  readonly duplicate: boolean;
  readonly emitters: RunSnapshot['emitters'];
  readonly emitters_evicted: number;
  readonly missing: number;
  readonly unsure: number;
}

type Numbering = Pick<RunSnapshot, 'emitters' | 'emitters_evicted' | 'missing' | 'unsure'>;

/**
 * Emitters number their events 1, 2, 3 … per run. Above `last` is new, and a jump opens a gap; inside a gap heals it;
 * anything else is a repeat. Only at or below an evicted gap is the number not enough: there the event id decides
 * (`idIsKnown`) and `unsure` counts. Requests may overtake each other and retries come late.
 */
export function numberEvent(
  numbering: Numbering,
  event: { emitterId: string; emitterSeq: number; seq: number; idIsKnown: () => boolean },
): Numbered {
  const held = Object.hasOwn(numbering.emitters, event.emitterId)
    ? numbering.emitters[event.emitterId]!
    : null;
  const step = held === null ? first(numbering, event) : next(held, event);
  if (step === null) return { ...pick(numbering), duplicate: true };
  const room = held === null ? withRoom(numbering) : numbering;
  return {
    duplicate: false,
    emitters: { ...room.emitters, [event.emitterId]: { ...step.emitter, seen: event.seq } },
    emitters_evicted: room.emitters_evicted,
    missing: Math.min(numbering.missing + step.missing, Number.MAX_SAFE_INTEGER),
    unsure: numbering.unsure + (step.unsure ? 1 : 0),
  };
}

type Unseen = Omit<EmitterState, 'seen'>;
/** null: a repeat. */
type Step = { readonly emitter: Unseen; readonly missing: number; readonly unsure: boolean } | null;

function first(numbering: Numbering, event: { emitterSeq: number; idIsKnown: () => boolean }): Step {
  const n = event.emitterSeq;
  if (numbering.emitters_evicted > 0) {
    // It may be one whose numbering was forgotten: its earlier numbers prove nothing, and this one may be a repeat.
    if (event.idIsKnown()) return null;
    return { emitter: { last: n, gaps: [], floor: n - 1, lost: null }, missing: 0, unsure: true };
  }
  const gaps: [number, number][] = n > 1 ? [[1, n - 1]] : [];
  return { emitter: { last: n, gaps, floor: 0, lost: 0 }, missing: n - 1, unsure: false };
}

function next(held: EmitterState, event: { emitterSeq: number; idIsKnown: () => boolean }): Step {
  const n = event.emitterSeq;
  const { last, gaps, floor, lost } = held;
  if (n === last + 1) return { emitter: { last: n, gaps, floor, lost }, missing: 0, unsure: false };
  if (n > last) {
    const opened = bounded({ last: n, gaps: [...gaps, [last + 1, n - 1]], floor, lost });
    return { emitter: opened, missing: n - 1 - last, unsure: false };
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
    return { emitter: healed, missing: -1, unsure: false };
  }
  if (n > floor || lost === 0 || event.idIsKnown()) return null;
  if (lost === null) return { emitter: { last, gaps, floor, lost }, missing: 0, unsure: true };
  return { emitter: { last, gaps, floor, lost: lost - 1 }, missing: -1, unsure: true };
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

/** Makes room for one more emitter; the one not heard of for longest is forgotten, what it missed stays counted. */
function withRoom(numbering: Numbering): Numbering {
  const ids = Object.keys(numbering.emitters);
  if (ids.length < EMITTERS_MAX) return numbering;
  let oldest = ids[0]!;
  for (const id of ids) {
    if (numbering.emitters[id]!.seen < numbering.emitters[oldest]!.seen) oldest = id;
  }
  const { [oldest]: _, ...emitters } = numbering.emitters;
  return { ...pick(numbering), emitters, emitters_evicted: numbering.emitters_evicted + 1 };
}

function pick(numbering: Numbering): Numbering {
  const { emitters, emitters_evicted, missing, unsure } = numbering;
  return { emitters, emitters_evicted, missing, unsure };
}
