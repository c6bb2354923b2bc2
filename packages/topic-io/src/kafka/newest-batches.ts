import type { Broker } from 'kafkajs/src/broker/index.js';
import { CodecMissingError } from '../codecs/codec.ts';
import { COMPRESSIONS, type Compression } from '../compression.ts';
import { faultAbout } from './faults.ts';
import { fetchPartitions } from './fetch.ts';
import { codecNumberOf, decodeBatches } from './record-batch.ts';
import type { KafkaSession } from './session.ts';
import { partitionBounds } from './topics.ts';

/** The newest batch of a partition that holds something. */
export interface NewestBatch {
  readonly partition: number;
  readonly offset: number;
  /** Null if Kafka knows no such codec. */
  readonly codec: Compression | null;
  /** Says why this process cannot read it; null if it can. */
  readonly fault: string | null;
}

/** Returns null if the partition is empty. Use it within `attempt`. */
export async function newestBatch(
  session: KafkaSession,
  at: { topic: string; partition: number },
): Promise<NewestBatch | null> {
  const { startOffset, stableEnd } = await partitionBounds(session, at);
  if (stableEnd <= startOffset) return null;
  const offset = stableEnd - 1;
  const leader: Broker = await session.leader(at);
  const [fetched] = await fetchPartitions({
    ...{ broker: leader, topic: at.topic, waitMs: 0 },
    positions: [{ partition: at.partition, offset }],
  });
  if (fetched === undefined || fetched.elsewhere) return null;
  if (fetched.errorCode !== 0) {
    const { topic: name, partition } = at;
    throw faultAbout(fetched.errorCode, { resource: 'topic', name, partition, operation: 'Read' });
  }
  const number = codecNumberOf(fetched.bytes);
  if (number === null) return null;
  return {
    ...{ partition: at.partition, offset },
    codec: COMPRESSIONS[number] ?? null,
    fault: faultOf({ ...fetched, offset }),
  };
}

function faultOf(fetched: {
  readonly bytes: Buffer;
  readonly offset: number;
  readonly aborted: Parameters<typeof decodeBatches>[0]['aborted'];
}): string | null {
  const { bytes, offset, aborted } = fetched;
  try {
    const { unreadable, doubtful } = decodeBatches({ bytes, fetchOffset: offset, aborted });
    return (unreadable[0] ?? doubtful)?.reason ?? null;
  } catch (error) {
    if (error instanceof CodecMissingError) return error.message;
    throw error;
  }
}
