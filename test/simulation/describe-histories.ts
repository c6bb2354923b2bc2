import { expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { planOf } from './plan.ts';
import { explain } from './shrink.ts';

const HISTORIES_DEFAULT = 10_000;
/** On a machine that is too busy for all of them, a run by default ends here and says how far it came. */
const RUN_MS_MAX = 100_000;
/** Between two breaths for the test runner. */
const HISTORIES_PER_TURN = 20;

/** Every so-many-th seed of the run; or, with `SEED`, that history alone and all that happened in it. */
export function describeHistories(shard: { index: number; of: number }): void {
  const { SEED, SIMULATION_HISTORIES } = process.env;
  if (SEED !== undefined) {
    if (Number(SEED) % shard.of === shard.index) replay(Number(SEED));
    else it('leaves the history of this seed to another shard', () => expect(SEED).toBeDefined());
    return;
  }
  const histories = Number(SIMULATION_HISTORIES ?? HISTORIES_DEFAULT);
  const runMsMax = SIMULATION_HISTORIES === undefined ? RUN_MS_MAX : Number.POSITIVE_INFINITY;
  const name = `holds every invariant in ${Math.ceil(histories / shard.of)} histories (shard ${shard.index + 1} of ${shard.of})`;
  it(name, { timeout: 3_600_000 }, async () => {
    const startedMs = performance.now();
    let ran = 0;
    for (let seed = shard.index; seed < histories; seed += shard.of) {
      const plan = planOf(seed);
      const result = await runHistory(plan);
      if (result.failure !== null) throw new Error(await explain(plan, result), { cause: result.failure });
      ran += 1;
      if (ran % HISTORIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      if (performance.now() - startedMs > runMsMax) {
        process.stdout.write(
          `the time was up after ${ran} histories; SIMULATION_HISTORIES=${histories} runs all\n`,
        );
        break;
      }
    }
    expect(ran).toBeGreaterThan(0);
  });
}

function replay(seed: number): void {
  it(`holds every invariant in the history of seed ${seed}`, async () => {
    const { failure, trace } = await runHistory(planOf(seed), { isTraced: true });
    process.stdout.write(`${trace.join('\n')}\n`);
    if (failure !== null) throw failure;
  }, 60_000);
}
