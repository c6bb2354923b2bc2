import type { EmitterPlan } from './publisher.ts';

/**
 * Several emitters a run and several runs an emitter; one that does not number; one whose bodies overtake each other and
 * come twice; one so slow that the retained log spans every break, so that not one of its entries may be left out.
 */
export function emitterPlans(): EmitterPlan[] {
  const emitter = (id: string, runs: readonly string[], more: Partial<EmitterPlan> = {}): EmitterPlan => ({
    ...{
      id,
      runs,
      isNumbered: true,
      bodyEvents: 20,
      eventsPerSecond: 60,
      bodiesUnderWayMax: 1,
      copyChance: 0,
    },
    ...more,
  });
  return [
    emitter('a', ['r1', 'r2']),
    emitter('b', ['r2', 'r3', 'r4']),
    emitter('c', ['r5', 'r6', 'r13']),
    emitter('wild', ['r7', 'r8', 'r1'], { bodyEvents: 8, bodiesUnderWayMax: 3, copyChance: 0.1 }),
    emitter('bare', ['unnumbered'], { isNumbered: false, eventsPerSecond: 20, copyChance: 0.1 }),
    emitter('slow', ['slow'], { bodyEvents: 2, eventsPerSecond: 2 }),
  ];
}

export function runsOf(emitters: readonly EmitterPlan[]): string[] {
  return [...new Set(emitters.flatMap(({ runs }) => runs))];
}

/** Emitters whose events may be shown in another order than they were numbered in. */
export function unorderedOf(emitters: readonly EmitterPlan[]): string[] {
  return emitters.filter(({ bodiesUnderWayMax }) => bodiesUnderWayMax > 1).map(({ id }) => id);
}
