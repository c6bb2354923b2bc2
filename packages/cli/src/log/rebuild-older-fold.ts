import { rebuild } from '@runlog/aggregator/rebuild';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { processResources } from '@runlog/service-kit/run-service';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';

/** A person who watches the log sees that the work goes on. */
const PROGRESS_EVERY_MS = 2_000;

/**
 * Rebuilds the snapshots if an earlier version of the fold wrote them, for the process that owns the log and whose services
 * have not started. It says in the log why, how far it is, and what it did. If the process is killed, the next one goes on.
 * Snapshots of a newer version stay as they are; the services refuse them.
 */
export async function rebuildOlderFold(
  io: TopicIo,
  use: { config: LogConfig; logger: Logger },
): Promise<void> {
  const { config, logger } = use;
  const { topics } = config;
  if ((await io.describeTopic(topics.meta)) === null) return;
  const found = await readMeta(io, topics);
  if (found === null || found.fold >= FOLD_VERSION) return;
  const begunMs = systemClock.now();
  let saidMs = begunMs;
  logger.info(
    { from: found.fold, to: FOLD_VERSION, snapshots: found.snapshots },
    'an earlier build with another version of the fold wrote the snapshots: they are rebuilt from the events before the ' +
      'services start; if this is interrupted, the next start goes on',
  );
  const report = await rebuild({
    ...{ io, topics, logger, clock: systemClock, dropOld: false },
    replicationFactor: config.replicationFactor,
    topicConfig: config.topicConfig,
    newEpoch: processResources.newEpoch,
    signal: new AbortController().signal,
    onProgress: ({ events, eventsTotal }) => {
      const nowMs = systemClock.now();
      if (nowMs - saidMs < PROGRESS_EVERY_MS) return;
      saidMs = nowMs;
      logger.info({ events, eventsTotal, elapsedMs: nowMs - begunMs }, 'rebuilding the snapshots');
    },
  });
  const { meta, events, runs, kept, resumed } = report;
  logger.info(
    {
      ...{ events, runs, kept, resumed, elapsedMs: systemClock.now() - begunMs },
      ...{ snapshots: meta.snapshots, former: found.snapshots, epoch: meta.epoch },
    },
    'the snapshots are rebuilt; the former ones are kept in their topic',
  );
}
