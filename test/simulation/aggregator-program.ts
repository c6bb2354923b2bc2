import type { Build } from './build.ts';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { RUN_RETENTION_MS, type World } from './world.ts';

/** Starts the real aggregation over a simulated log. It is claimed anew whenever a rebuild has switched `run-meta`. */
export function startAggregator(
  world: World,
  options: { build: Build; process: SimulatedProcess; fail: (error: unknown) => void },
): Program {
  const { build, process, fail } = options;
  const { plan, topics } = world;
  const io = world.openLog(process, 'aggregator');
  const stop = new AbortController();
  const work = async () => {
    while (!stop.signal.aborted) {
      const meta = await world.prepareTopics(build, process, io);
      if (stop.signal.aborted) return;
      await using aggregation = new build.Aggregation({
        ...{ io, topics, meta, clock: process.clock, random: process.random.next },
        snapshotIntervalMs: plan.snapshotIntervalMs,
        snapshotBytesPerSecond: plan.snapshotBytesPerSecond,
        runRetentionMs: RUN_RETENTION_MS,
        logger: world.logger(process),
      });
      const follow = new AbortController();
      const signal = AbortSignal.any([stop.signal, follow.signal]);
      const changed = build.metaChange(io, { topics, meta, signal });
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
