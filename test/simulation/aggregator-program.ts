import { Aggregation } from '@runlog/aggregator/aggregate';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

/** The real aggregation, over a simulated log. */
export function startAggregator(
  world: World,
  process: SimulatedProcess,
  fail: (error: unknown) => void,
): Program {
  const { plan, topics } = world;
  const io = world.openLog(process, 'aggregator');
  let aggregation: Aggregation | null = null;
  let isStopping = false;
  const work = async () => {
    const meta = await world.prepareTopics(process, io);
    if (isStopping) return;
    aggregation = new Aggregation({
      ...{ io, topics, meta, clock: process.clock, random: process.random.next },
      snapshotIntervalMs: plan.snapshotIntervalMs,
      snapshotBytesPerSecond: plan.snapshotBytesPerSecond,
      runRetentionMs: 30 * DAY_MS,
      log: world.logger(process),
    });
    await aggregation.run();
  };
  const working = work().catch((error: unknown) => {
    if (!isStopping) fail(error);
  });
  return {
    async stop() {
      isStopping = true;
      await aggregation?.[Symbol.asyncDispose]();
      await working;
      await io[Symbol.asyncDispose]();
    },
  };
}
