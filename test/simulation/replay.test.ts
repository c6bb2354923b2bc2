import { expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { planOf } from './plan.ts';

const SEEDS = 25;

it('gives the same history for the same seed, to the last line', async () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const [one, other] = [
      await runHistory(planOf(seed), { isTraced: true }),
      await runHistory(planOf(seed), { isTraced: true }),
    ];
    expect(one.trace.length).toBeGreaterThan(20);
    expect(other.trace).toEqual(one.trace);
  }
});
