import { describe, expect, it } from 'vitest';
import { runChaos } from './chaos-run.ts';
import { shortPlan } from './fault-plan.ts';
import { chosenSeed } from './seed.ts';

const SHAPE = { aggregators: 2, gateways: 2, ingests: 2, partitions: 4 };

describe('three brokers and several of each service', () => {
  it('shows each acknowledged event once and none twice, whatever is killed, frozen or fenced', async () => {
    const seed = chosenSeed(process.env);
    process.stdout.write(`chaos SEED=${seed}\n`);
    const history: string[] = [];
    const report = await runChaos({
      seed,
      shape: SHAPE,
      plan: (random) => shortPlan(random, SHAPE),
      isOver: () => false,
      say: (line) => history.push(line),
    });
    expect(report.violations, history.join('\n')).toEqual([]);
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
