import type { Checkpoint } from '@runlog/records/checkpoint-record';
import type { RunMeta } from '@runlog/records/meta-record';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';

export interface RestoreOptions {
  readonly io: TopicIo;
  readonly topics: TopicNames;
  readonly meta: RunMeta;
  readonly partitions: readonly number[];
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Is told of each partition's checkpoint. */
  readonly onCheckpoint?: (checkpoint: Checkpoint, partition: number) => void;
  /** Resolves after the time or on abort. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
