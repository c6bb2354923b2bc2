import type { KafkaInspector } from '@runlog/topic-io/kafka/inspect-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import type { AdminAccess } from '@runlog/topic-io/topic-settings';
import type { Checkup } from './checkup.ts';

/** What the checks of a cluster share that answers. */
export interface Examination {
  readonly checkup: Checkup;
  readonly inspector: KafkaInspector;
  readonly io: TopicIo;
  /** The numbers of the brokers that the cluster says it has. */
  readonly brokers: ReadonlySet<number>;
  /** The numbers of those that answer. */
  readonly nodes: ReadonlySet<number>;
  /** As the brokers name this process; null if only they know. */
  readonly principal: string | null;
  readonly access: AdminAccess;
}
