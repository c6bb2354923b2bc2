import { expect, it } from 'vitest';
import { runHistory } from './history.ts';
import { planOf } from './plan.ts';
import { explain } from './shrink.ts';
import { toBeReached } from './to-be-reached.ts';

/** Every mutant but one is found within the first 3,000; that one is found beyond what a default run has ever reached. */
const HISTORIES_DEFAULT = 4_000;
/** On a machine that is too busy for all histories, a default run ends after this time and says how far it got. */
const RUN_MS_MAX = 100_000;
/** This number of histories contains everything that must happen. */
const HISTORIES_OF_ALL_KINDS = 1_500;
/** The number of histories between two pauses for the test runner. */
const HISTORIES_PER_TURN = 20;

/** Runs the shard's part of the seeds, or with `SEED` only that history, and then prints all that happened in it. */
export function describeHistories(shard: { index: number; of: number }): void {
  const { SEED, SIMULATION_HISTORIES, SIMULATION_FIRST } = process.env;
  if (SEED !== undefined) {
    if (Number(SEED) % shard.of === shard.index) replay(Number(SEED));
    else it('leaves the history of this seed to another shard', () => expect(SEED).toBeDefined());
    return;
  }
  const histories = Number(SIMULATION_HISTORIES ?? HISTORIES_DEFAULT);
  const first = Number(SIMULATION_FIRST ?? 0);
  const runMsMax = SIMULATION_HISTORIES === undefined ? RUN_MS_MAX : Number.POSITIVE_INFINITY;
  const name = `holds every invariant in ${Math.ceil(histories / shard.of)} histories (shard ${shard.index + 1} of ${shard.of})`;
  it(name, { timeout: 3_600_000 }, async () => {
    const startedMs = performance.now();
    const reached = new Map<string, number>();
    let ran = 0;
    for (let seed = first + shard.index; seed < first + histories; seed += shard.of) {
      const plan = planOf(seed);
      const result = await runHistory(plan);
      if (result.failure !== null) throw new Error(await explain(plan, result), { cause: result.failure });
      ran += 1;
      for (const what of result.reached.keys()) reached.set(what, (reached.get(what) ?? 0) + 1);
      if (ran % HISTORIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      if (performance.now() - startedMs > runMsMax) {
        process.stdout.write(
          `the time was up after ${ran} histories; SIMULATION_HISTORIES=${histories} runs all of them\n`,
        );
        break;
      }
    }
    if (SIMULATION_HISTORIES !== undefined) {
      const counts = [...reached].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`);
      process.stdout.write(`of ${ran} histories, the number that had each situation: ${counts.join(', ')}\n`);
    }
    expect(ran).toBeGreaterThan(0);
    // A situation that never happens is not tested.
    if (ran >= HISTORIES_OF_ALL_KINDS)
      expect([...reached.keys()]).toEqual(expect.arrayContaining([...toBeReached]));
  });
}

function replay(seed: number): void {
  it(`holds every invariant in the history of seed ${seed}`, async () => {
    const { failure, trace } = await runHistory(planOf(seed), { isTraced: true });
    process.stdout.write(`${trace.join('\n')}\n`);
    if (failure !== null) throw failure;
  });
}
