import { checkTopics } from '@runlog/run-feed/check-topics';
import { denialLines } from '@runlog/run-feed/denial-lines';
import { feedHealthOf, feedStateOf, STALLED_AFTER_MS } from '@runlog/run-feed/feed-health';
import { metaChange } from '@runlog/run-feed/follow-meta';
import { LogWatch } from '@runlog/run-feed/log-watch';
import { othersEventsAppeared } from '@runlog/run-feed/others-events';
import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import { metaTopic, snapshotTopics } from '@runlog/run-feed/topic-specs';
import type { FeedHealth } from '@runlog/schema/http/health';
import { createHttpServer, listen } from '@runlog/service-kit/http-server';
import type { Running } from '@runlog/service-kit/lifecycle';
import { addMetricsRoute } from '@runlog/service-kit/metrics';
import { untilItSucceeds } from '@runlog/service-kit/retry';
import type { ServiceStart } from '@runlog/service-kit/run-service';
import { isDenial, isPassing, type TopicIoError } from '@runlog/topic-io/topic-io';
import { Aggregation } from './aggregate.ts';
import { createAggregatorMetrics } from './aggregator-metrics.ts';
import type { AggregatorConfig } from './config.ts';

const READY_CHECK_MS = 20;
const STOP_MS_MAX = 2_000;

/**
 * Starts the health endpoint at once, and the work as soon as the log answers. It does not dispose of the log that it
 * was given.
 */
export async function startAggregator(options: ServiceStart<AggregatorConfig>): Promise<Running> {
  const { config, logger, clock, random, newEpoch, fail } = options;
  const stop = new AbortController();
  let aggregation: Aggregation | null = null;
  let hasWorked = false;
  /** What keeps the topics from being prepared, if the log denies it. */
  let denial: TopicIoError | null = null;
  const watch = new LogWatch({
    ...{ clock, silentMsMax: STALLED_AFTER_MS },
    onChange: (stalledSinceMs) => {
      const feed = feedStateOf(stalledSinceMs);
      if (feed.state === 'live') logger.info({}, 'the log answers again');
      else if (watch.isDenied) {
        logger.error({ since: feed.since }, 'the log denies what is read; snapshots wait');
      } else logger.error({ since: feed.since }, 'the log does not answer; snapshots wait');
    },
  });
  const io = watch.watch(options.io);
  const feed = (): FeedHealth =>
    feedHealthOf({
      stalledSinceMs: watch.stalledSinceMs,
      behindRecords: metrics.behindRecords(),
      heldBack: aggregation?.heldBack ?? null,
    });
  const server = createHttpServer({
    logger,
    bodyBytesMax: 1_024,
    health: {
      notReadyBecause: () => {
        if (stop.signal.aborted) return 'stopping';
        if (denial !== null) return denial.message;
        if (aggregation === null) return 'waiting for the log';
        return aggregation.refusal ?? (aggregation.ready ? null : 'restoring partitions');
      },
      feed,
    },
  });
  const metrics = createAggregatorMetrics({
    isStalled: () => watch.stalledSinceMs !== null,
    heldBackRecords: () => aggregation?.heldBack?.records ?? 0,
  });
  addMetricsRoute(server, { registry: metrics.registry });
  /** Works under one `run-meta` after the other: a rebuild switches it, and the work starts anew from there. */
  const work = async () => {
    while (!stop.signal.aborted) {
      const meta = await untilItSucceeds(prepare, {
        signal: stop.signal,
        random,
        retryable: (error) => isPassing(error, { hasWorked }),
        onFailure: (error, attempts) => {
          const isNews = attempts === 1 || (isDenial(error) && denial === null);
          denial = isDenial(error) ? error : null;
          if (isNews) logger.warn({ err: error }, 'the log cannot be used; trying again');
        },
      });
      denial = null;
      await using current = new Aggregation({
        ...{ io, topics: config.log.topics, meta, clock, random, logger, observer: metrics },
        snapshotIntervalMs: config.snapshotIntervalMs,
        snapshotBytesPerSecond: config.snapshotBytesPerSecond,
        runRetentionMs: config.log.runRetentionHours * 3_600_000,
        hasWorked: () => hasWorked,
      });
      aggregation = current;
      const follow = new AbortController();
      const changed = metaChange(options.io, {
        ...{ topics: config.log.topics, meta },
        signal: AbortSignal.any([stop.signal, follow.signal]),
        onFault: denialLines(logger, { topic: config.log.topics.meta }),
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
  const prepare = async () => {
    const { topics, partitions, replicationFactor, eventRetentionHours, topicConfig } = config.log;
    const plan = { topics, replicationFactor, eventRetentionHours, topicConfig };
    const meta = await prepareTopics({
      ...{ io, ...plan, partitions, epoch: newEpoch, now: clock.now, logger },
      role: 'aggregator',
    });
    await checkTopics(io, { topics: [metaTopic(plan), ...snapshotTopics(plan, meta)], logger });
    return meta;
  };
  const url = await listen(server, { host: config.host, port: config.port });
  const working = work().catch((error: unknown) => {
    if (!stop.signal.aborted) fail(error);
  });
  const { topics } = config.log;
  const watching = othersEventsAppeared({
    ...{ io: options.io, topics, sleep: clock.sleep, signal: stop.signal },
  }).then((refusal) => (refusal === null ? undefined : fail(refusal)), fail);
  const whenReady = async () => {
    while (!(aggregation?.ready ?? false)) {
      if (stop.signal.aborted) return new Promise<void>(() => undefined);
      await clock.sleep(READY_CHECK_MS, stop.signal);
    }
    hasWorked = true;
  };
  return {
    addresses: { aggregator: url },
    ready: whenReady(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
      // A question that the log does not answer ends when the log is closed.
      const patience = new AbortController();
      await Promise.race([watching, clock.sleep(STOP_MS_MAX, patience.signal)]);
      patience.abort();
      watch[Symbol.dispose]();
      await server.close();
    },
  };
}
