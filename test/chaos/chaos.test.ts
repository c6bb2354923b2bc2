import { describe, expect, it } from 'vitest';
import { runChaos } from './chaos-run.ts';
import { shortPlan } from './fault-plan.ts';
import { chosenSeed } from './seed.ts';

const SHAPE = { aggregators: 2, gateways: 2, ingests: 2, partitions: 4 };

describe('three brokers and several of each service', () => {
  it('shows each acknowledged event once and none twice, whatever is killed, frozen or fenced', async () => {
    const report = await runChaos({
      seed: chosenSeed(process.env),
      shape: SHAPE,
      plan: (random) => shortPlan(random, SHAPE),
      isOver: () => false,
      say: (line) => process.stdout.write(`chaos ${line}\n`),
    });
    expect(report.violations).toEqual([]);
    expect(report.copies).toEqual(
      Array.from({ length: SHAPE.partitions }, () => ({ replicas: 3, inSync: 3 })),
    );
    expect(report.inSyncMin).toBe('2');
    expect(report.verify).toMatchObject({ ok: true, compared: report.runs, truncated: 0, unfoldable: 0 });
    for (const { entries, connections } of report.subscribers) {
      expect(entries).toBeGreaterThan(0);
      expect(connections).toBeGreaterThan(0);
    }
  }, 240_000);
});
