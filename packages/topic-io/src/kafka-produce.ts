import type { MessageToEncode } from 'kafkajs/src/broker/index.js';
import { BOUNDS } from './kafka-config.ts';
import { KafkaFault } from './kafka-faults.ts';
import type { KafkaSession } from './kafka-session.ts';
import type { RecordToAppend } from './topic-io.ts';

/** Kafka's idempotence: the id, and for each partition the number of the next record. */
export interface ProducerIdentity {
  readonly producerId: unknown;
  readonly producerEpoch: number;
}

const ACKS_ALL = -1;
const BATCH_HEADER_BYTES = 61;
/** Length, attributes, timestamp, offset, key length, value length, header count: their largest encodings together. */
const RECORD_OVERHEAD_BYTES = 36;
const HEADER_OVERHEAD_BYTES = 10;

/** An upper bound, a few bytes above what the record takes on the wire. */
export function wireBytes(record: RecordToAppend): number {
  let bytes = RECORD_OVERHEAD_BYTES + Buffer.byteLength(record.key) + (record.value?.length ?? 0);
  for (const name in record.headers) {
    bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '');
  }
  return bytes;
}

export function isTooLarge(recordBytes: number): boolean {
  return recordBytes + BATCH_HEADER_BYTES > BOUNDS.messageBytes;
}

export function toMessage(record: RecordToAppend): MessageToEncode {
  const { key, value, headers, timestampMs } = record;
  return { key, value, headers, timestamp: String(timestampMs) };
}

/**
 * One produce request for one partition with acks=all; resolves to the offset of its first record. Repeating it with the
 * same identity and sequence is harmless: the broker knows it again. Use within `KafkaSession.attempt`.
 */
export async function produce(options: {
  session: KafkaSession;
  topic: string;
  partition: number;
  messages: readonly MessageToEncode[];
  identity: ProducerIdentity;
  firstSequence: number;
  transactionalId?: string;
}): Promise<number> {
  const { session, topic, partition, messages, identity, firstSequence, transactionalId } = options;
  const leader = await session.leader({ topic, partition });
  const answer = await leader.produce({
    acks: ACKS_ALL,
    timeout: BOUNDS.produceRequestMs,
    ...identity,
    ...(transactionalId !== undefined && { transactionalId }),
    topicData: [{ topic, partitions: [{ partition, firstSequence, messages }] }],
  });
  const ours = answer.topics
    .find((entry) => entry.topicName === topic)
    ?.partitions.find((entry) => entry.partition === partition);
  const baseOffset = Number(ours?.baseOffset ?? -1);
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) {
    throw new KafkaFault(null, `the broker's answer does not cover ${topic}/${partition}`);
  }
  return baseOffset;
}
