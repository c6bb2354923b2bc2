import { metaChange } from '@runlog/run-feed/follow-meta';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { createHttpServer, listen } from '@runlog/service-kit/http-server';
import type { Running } from '@runlog/service-kit/lifecycle';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import { untilItSucceeds } from '@runlog/service-kit/retry';
import type { ServiceStart } from '@runlog/service-kit/run-service';
import { isPassing } from '@runlog/topic-io/topic-io';
import { Aggregation } from './aggregate.ts';
import { createAggregatorMetrics } from './aggregator-metrics.ts';
import type { AggregatorConfig } from './config.ts';

const READY_CHECK_MS = 20;

/**
 * Starts the health endpoint at once, and the work as soon as the log answers. It does not dispose of the log that it
 * was given.
 */
export async function startAggregator(options: ServiceStart<AggregatorConfig>): Promise<Running> {
  const { config, io, logger, clock, random, newEpoch, fail } = options;
  const stop = new AbortController();
  let aggregation: Aggregation | null = null;
  const server = createHttpServer({
    logger,
    bodyBytesMax: 1_024,
    health: {
      notReadyBecause: () => {
        if (stop.signal.aborted) return 'stopping';
        if (aggregation === null) return 'waiting for the log';
        return aggregation.ready ? null : 'restoring partitions';
      },
    },
  });
  const metrics = createAggregatorMetrics();
  addMetricsRoute(server, { registry: metrics.registry });
  /** Works under one `run-meta` after the other: a rebuild switches it, and the work starts anew from there. */
  const work = async () => {
    while (!stop.signal.aborted) {
      const meta = await untilItSucceeds(prepare, {
        signal: stop.signal,
        random,
        retryable: isPassing,
        onFailure: (error, attempts) => {
          if (attempts === 1) logger.warn({ err: error }, 'the log cannot be reached; retrying');
        },
      });
      await using current = new Aggregation({
        ...{ io, topics: config.log.topics, meta, clock, random, logger, observer: metrics },
        snapshotIntervalMs: config.snapshotIntervalMs,
        snapshotBytesPerSecond: config.snapshotBytesPerSecond,
        runRetentionMs: config.log.runRetentionHours * 3_600_000,
      });
      aggregation = current;
      const follow = new AbortController();
      const changed = metaChange(io, {
        ...{ topics: config.log.topics, meta },
        signal: AbortSignal.any([stop.signal, follow.signal]),
      });
      try {
        const switched = await Promise.race([current.run(), changed]);
        if (switched !== undefined) logger.info({ ...switched }, 'run-meta was switched; claiming anew');
      } finally {
        follow.abort();
        await changed.catch(() => undefined);
      }
    }
  };
  const prepare = () => {
    const { topics, partitions, replicationFactor, eventRetentionHours } = config.log;
    return prepareTopics({
      io,
      topics,
      partitions,
      replicationFactor,
      eventRetentionHours,
      epoch: newEpoch,
      now: clock.now,
      logger,
    });
  };
  const url = await listen(server, { host: config.host, port: config.port });
  const working = work().catch((error: unknown) => {
    if (!stop.signal.aborted) fail(error);
  });
  const whenReady = async () => {
    while (!(aggregation?.ready ?? false)) {
      if (stop.signal.aborted) return new Promise<void>(() => undefined);
      await clock.sleep(READY_CHECK_MS, stop.signal);
    }
  };
  return {
    addresses: { aggregator: url },
    ready: whenReady(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
      await server.close();
    },
  };
}
