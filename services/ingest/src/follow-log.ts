import type { RunMeta } from '@runlog/records/meta-record';
import { denialLines } from '@runlog/run-feed/denial-lines';
import { metaChange } from '@runlog/run-feed/follow-meta';
import { othersEventsAppeared } from '@runlog/run-feed/others-events';
import type { TopicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';

const NEWER_BUILD =
  'a newer build writes the snapshots now; events are taken as before, and that build folds them; update this process';
const OTHER_EVENTS = 'events are taken, and nobody folds them until a rebuild';
const UNFOLLOWED = 'run-meta cannot be followed; events are taken as before';

export interface FollowLogOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  /** The record that the events are dealt out by. */
  readonly meta: RunMeta;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Resolves after the time or on abort. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Is told of a fold that is newer than this build's. */
  readonly onNewerFold: (fold: number) => void;
}

/**
 * Notices what others do to the log while ingest runs, until the abort. A newer fold, or events that were made anew, are said,
 * and events are taken on: ingest folds nothing, and every fold reads what earlier builds have written. Rejects with `unusable`
 * if the topics have another number of partitions than events are dealt out to, because then they would go to wrong ones.
 */
export async function followLog(options: FollowLogOptions): Promise<void> {
  await Promise.all([followMeta(options), followEvents(options)]);
}

async function followMeta(options: FollowLogOptions): Promise<void> {
  const { io, topics, logger, signal } = options;
  const onFault = denialLines(logger, { topic: topics.meta });
  let held = options.meta;
  let isSaid = false;
  while (!signal.aborted) {
    try {
      held = await metaChange(io, { topics, meta: held, signal, onFault });
    } catch (error) {
      if (!signal.aborted) logger.error({ err: error }, UNFOLLOWED);
      return;
    }
    refuseOtherCount(options, { name: topics.meta, partitions: held.partitions });
    if (held.fold <= FOLD_VERSION) continue;
    options.onNewerFold(held.fold);
    if (!isSaid) logger.warn({ fold: held.fold, ownFold: FOLD_VERSION }, NEWER_BUILD);
    isSaid = true;
  }
}

async function followEvents(options: FollowLogOptions): Promise<void> {
  const { io, topics, logger } = options;
  const others = await othersEventsAppeared(options);
  if (others === null) return;
  const events = await io.describeTopic(topics.events);
  if (events !== null) refuseOtherCount(options, events);
  logger.warn({ err: others }, OTHER_EVENTS);
}

function refuseOtherCount(
  { meta, topics }: FollowLogOptions,
  found: { readonly name: string; readonly partitions: number },
): void {
  if (found.partitions === meta.partitions) return;
  throw new TopicIoError(
    'unusable',
    `${found.name} ${found.name === topics.meta ? 'says' : 'has'} ${found.partitions} partitions now, and this ingest deals events ` +
      `out to ${meta.partitions}: they would go to wrong ones. Start it again`,
  );
}
