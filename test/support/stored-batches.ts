import { fetchPartitions } from '@runlog/topic-io/kafka/fetch';
import { Reachability } from '@runlog/topic-io/kafka/reachability';
import { KafkaSession } from '@runlog/topic-io/kafka/session';
import { silentLogger } from './silent-logger.ts';

// The places of the fields of a batch.
const LENGTH_AT = 8;
const ATTRIBUTES_AT = 21;
const RECORD_COUNT_AT = 57;
const LENGTH_PREFIX_BYTES = 12;

/** A record batch as the broker stores it. `codec` is Kafka's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
export interface StoredBatch {
  readonly codec: number;
  readonly records: number;
  readonly bytes: number;
}

/** Fetches at most a MiB from the beginning of partition 0. */
export async function fetchedBytes(brokers: readonly string[], topic: string): Promise<Buffer> {
  const kafka = { brokers, clientId: 'runlog-stored-batches', logger: silentLogger };
  const reachability = new Reachability({ logger: silentLogger, brokers });
  await using session = new KafkaSession({ kafka, reachability, requestTimeoutMs: 8_000 });
  const answers = await session.attempt({ doing: 'fetch', timeoutMs: 20_000 }, async () => {
    const broker = await session.leader({ topic, partition: 0 });
    return fetchPartitions({ broker, topic, positions: [{ partition: 0, offset: 0 }], waitMs: 0 });
  });
  return answers[0]!.bytes;
}

/** Fetches at most a MiB from the beginning of partition 0 and returns the complete batches. */
export async function storedBatches(brokers: readonly string[], topic: string): Promise<StoredBatch[]> {
  const bytes = await fetchedBytes(brokers, topic);
  const batches: StoredBatch[] = [];
  for (let at = 0; at + RECORD_COUNT_AT + 4 <= bytes.length; ) {
    const batchBytes = LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT);
    if (at + batchBytes > bytes.length) break;
    const codec = bytes.readInt16BE(at + ATTRIBUTES_AT) & 7;
    batches.push({ codec, records: bytes.readInt32BE(at + RECORD_COUNT_AT), bytes: batchBytes });
    at += batchBytes;
  }
  return batches;
}
