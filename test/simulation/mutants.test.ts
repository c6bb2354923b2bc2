import { describe, expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { mutants } from './mutants.ts';
import { type Plan, planOf } from './plan.ts';

// A simulation that finds nothing proves nothing unless it also finds faults that were made on purpose.
describe('the simulation finds', () => {
  for (const { name, mutations, historiesMax, faults = [] } of mutants) {
    it(`${name}, within ${historiesMax} histories`, async () => {
      let found: number | null = null;
      let ran = 0;
      for (let seed = 0; ran < historiesMax && found === null; seed += 1) {
        const plan = planOf(seed);
        if (!hasAll(plan, faults)) continue;
        ran += 1;
        const { failure } = await runHistory(plan, { mutations });
        if (failure !== null) found = seed;
      }
      expect(found).not.toBeNull();
    });
  }
});

function hasAll(plan: Plan, kinds: readonly string[]): boolean {
  return kinds.every((wanted) => plan.faults.some(({ kind }) => kind === wanted));
}
