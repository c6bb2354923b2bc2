import type { KafkaInspector } from '@runlog/topic-io/kafka/inspect-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import type { AdminAccess } from '@runlog/topic-io/topic-settings';
import type { Checkup } from './checkup.ts';

/** What the checks of a cluster share that answers. */
export interface Examination {
  readonly checkup: Checkup;
  readonly inspector: KafkaInspector;
  readonly io: TopicIo;
  /** How many brokers the cluster says that it has. */
  readonly brokers: number;
  readonly access: AdminAccess;
}
