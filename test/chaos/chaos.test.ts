import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { runChaos } from './chaos-run.ts';
import { shortPlan } from './fault-plan.ts';
import { checkHistory } from './history/check-history.ts';
import { PLANTED_FAULTS } from './history/planted-faults.ts';
import { chosenSeed } from './seed.ts';

const SHAPE = { aggregators: 2, gateways: 2, ingests: 2, partitions: 4 };

describe('three brokers and several of each service', () => {
  it('shows each acknowledged event once and none twice, whatever is killed, frozen or fenced', async () => {
    const seed = chosenSeed(process.env);
    process.stdout.write(`chaos SEED=${seed}\n`);
    const lines: string[] = [];
    const unfound: string[] = [];
    const report = await runChaos({
      seed,
      shape: SHAPE,
      plan: (random) => shortPlan(random, SHAPE),
      isOver: () => false,
      say: (line) => lines.push(line),
      // The checker is as good as what it finds in this very history once that has a fault.
      onHistory: (history) => {
        for (const { name, due, plant } of PLANTED_FAULTS) {
          const found = checkHistory(plant(history, new SeededRandom(seed)));
          if (!found.some(({ kind }) => kind === due)) unfound.push(name);
        }
      },
    });
    expect(report.violations, lines.join('\n')).toEqual([]);
    expect(unfound).toEqual([]);
    expect(report.copies).toEqual(
      Array.from({ length: SHAPE.partitions }, () => ({ replicas: 3, inSync: 3 })),
    );
    expect(report.inSyncMin).toBe('2');
    expect(report.verify).toMatchObject({
      ...{ ok: true, compared: report.runs, figuresCompared: report.runs },
      ...{ truncated: 0, unfoldable: 0 },
    });
    for (const { entries, connections } of report.subscribers) {
      expect(entries).toBeGreaterThan(0);
      expect(connections).toBeGreaterThan(0);
    }
  }, 900_000);
});
