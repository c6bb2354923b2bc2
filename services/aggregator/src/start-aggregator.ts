import { prepareTopics } from '@runlog/run-feed/prepare-topics';
import type { Clock } from '@runlog/service-kit/clock';
import { createHttpServer, listen } from '@runlog/service-kit/http-server';
import type { Running } from '@runlog/service-kit/lifecycle';
import type { Logger } from '@runlog/service-kit/logger';
import { untilItSucceeds } from '@runlog/service-kit/retry';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { Aggregation } from './aggregate.ts';
import type { AggregatorConfig } from './config.ts';

export interface StartAggregatorOptions {
  readonly config: AggregatorConfig;
  readonly io: TopicIo;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newEpoch: () => string;
  /** Called once with what cannot be survived. */
  readonly fail: (error: unknown) => void;
}

/** Health endpoint at once, the work as soon as the log answers. Does not dispose the log it was given. */
export async function startAggregator(options: StartAggregatorOptions): Promise<Running> {
  const { config, io, log, clock, random, newEpoch, fail } = options;
  const stop = new AbortController();
  let aggregation: Aggregation | null = null;
  const server = createHttpServer({
    log,
    bodyBytesMax: 1_024,
    health: {
      notReadyBecause: () => {
        if (stop.signal.aborted) return 'stopping';
        if (aggregation === null) return 'waiting for the log';
        return aggregation.ready ? null : 'restoring partitions';
      },
    },
  });
  const work = async () => {
    const meta = await untilItSucceeds(
      () =>
        prepareTopics({
          io,
          topics: config.log.topics,
          partitions: config.log.partitions,
          replicationFactor: config.log.replicationFactor,
          eventRetentionHours: config.log.eventRetentionHours,
          epoch: newEpoch,
          log,
        }),
      {
        signal: stop.signal,
        random,
        retryable: (error) => error instanceof TopicIoError && error.code !== 'unusable',
        onFailure: (error, attempts) => {
          if (attempts === 1) log.warn({ err: error }, 'the log cannot be reached; retrying');
        },
      },
    );
    aggregation = new Aggregation({
      io,
      topics: config.log.topics,
      meta,
      snapshotIntervalMs: config.snapshotIntervalMs,
      snapshotBytesPerSecond: config.snapshotBytesPerSecond,
      clock,
      random,
      log,
    });
    await aggregation.run();
  };
  const url = await listen(server, { host: config.host, port: config.port });
  const working = work().catch((error: unknown) => {
    if (!stop.signal.aborted) fail(error);
  });
  return {
    addresses: { aggregator: url },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await aggregation?.[Symbol.asyncDispose]();
      await working;
      await server.close();
    },
  };
}
