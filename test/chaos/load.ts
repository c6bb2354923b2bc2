import type { EmitterPlan } from './publisher.ts';

/**
 * Plans the emitters. There are several emitters per run and several runs per emitter. One emitter does not number its
 * events. The bodies of another overtake each other and come twice. One is so slow that the retained event log spans
 * every break, so that none of its entries may be left out.
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

/** Returns the emitters whose events may be shown in another order than that of their numbers. */
export function unorderedOf(emitters: readonly EmitterPlan[]): string[] {
  return emitters.filter(({ bodiesUnderWayMax }) => bodiesUnderWayMax > 1).map(({ id }) => id);
}
