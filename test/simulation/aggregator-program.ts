import { Aggregation } from '@runlog/aggregator/aggregate';
import { metaChange } from '@runlog/run-feed/follow-meta';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

/** The real aggregation, over a simulated log; claimed anew whenever a rebuild has switched `run-meta`. */
export function startAggregator(
  world: World,
  process: SimulatedProcess,
  fail: (error: unknown) => void,
): Program {
  const { plan, topics } = world;
  const io = world.openLog(process, 'aggregator');
  const stop = new AbortController();
  const work = async () => {
    while (!stop.signal.aborted) {
      const meta = await world.prepareTopics(process, io);
      if (stop.signal.aborted) return;
      await using aggregation = new Aggregation({
        ...{ io, topics, meta, clock: process.clock, random: process.random.next },
        snapshotIntervalMs: plan.snapshotIntervalMs,
        snapshotBytesPerSecond: plan.snapshotBytesPerSecond,
        runRetentionMs: 30 * DAY_MS,
        log: world.logger(process),
      });
      const follow = new AbortController();
      const signal = AbortSignal.any([stop.signal, follow.signal]);
      const changed = metaChange(io, { topics, meta, signal });
      const stopped = new Promise<void>((resolve) =>
        stop.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      try {
        await Promise.race([aggregation.run(), changed, stopped]);
      } finally {
        follow.abort();
        await changed.catch(() => undefined);
      }
    }
  };
  const working = work().catch((error: unknown) => {
    if (!stop.signal.aborted) fail(error);
  });
  return {
    async stop() {
      stop.abort();
      await working;
      await io[Symbol.asyncDispose]();
    },
  };
}
