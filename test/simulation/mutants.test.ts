import { describe, expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { mutants } from './mutants.ts';
import { planOf } from './plan.ts';

// A simulation that finds nothing proves nothing unless it finds what is broken on purpose.
describe('the simulation finds', () => {
  for (const { name, mutations, historiesMax } of mutants) {
    it(`${name}, within ${historiesMax} histories`, { timeout: 60_000 }, async () => {
      let found: number | null = null;
      for (let seed = 0; seed < historiesMax && found === null; seed += 1) {
        const { failure } = await runHistory(planOf(seed), { mutations });
        if (failure !== null) found = seed;
      }
      expect(found).not.toBeNull();
    });
  }
});
