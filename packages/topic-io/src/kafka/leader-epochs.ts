import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { faultAbout } from './faults.ts';
import type { KafkaSession } from './session.ts';

const OFFSET_FOR_LEADER_EPOCH = 23;
/** The first version for readers that are no followers, of Kafka 2.3. */
const VERSION = 3;
const READER = -1;
const UNKNOWN = -1;

// The places of the fields of a batch.
const LENGTH_AT = 8;
const LEADER_EPOCH_AT = 12;
const MAGIC_AT = 16;
const LENGTH_PREFIX_BYTES = 12;
const COMMON_HEADER_BYTES = 17;
/** The first format with leader epochs. */
const MAGIC = 2;

/** The leader epochs under which the first and the last batch of an answer were written. */
export interface LeaderEpochs {
  readonly first: number;
  readonly last: number;
}

/** Looks only at batches that begin below `nextOffset`. Returns null if there are none, or if they have no epoch. */
export function leaderEpochsOf(bytes: Buffer, nextOffset: number): LeaderEpochs | null {
  let first = UNKNOWN;
  let last = UNKNOWN;
  for (let at = 0; at + COMMON_HEADER_BYTES <= bytes.length; ) {
    if (Number(bytes.readBigInt64BE(at)) >= nextOffset) break;
    // What an older format has in that place is its checksum.
    if (bytes[at + MAGIC_AT] === MAGIC) last = bytes.readInt32BE(at + LEADER_EPOCH_AT);
    if (first === UNKNOWN) first = last;
    const batchBytes = LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT);
    if (batchBytes < COMMON_HEADER_BYTES) break;
    at += batchBytes;
  }
  return first < 0 || last < 0 ? null : { first, last };
}

/**
 * Returns the offset where the leader's log leaves an epoch: the beginning of the next one that it knows. Null if the leader
 * does not say. Records of this epoch at or behind it were lost, however long the log is now. Use it within `once`.
 */
export async function endOfLeaderEpoch(
  session: KafkaSession,
  at: { topic: string; partition: number; leaderEpoch: number },
): Promise<number | null> {
  const { topic, partition, leaderEpoch } = at;
  const leader = await session.leader({ topic, partition });
  if ((leader.versions?.[OFFSET_FOR_LEADER_EPOCH]?.maxVersion ?? 0) < VERSION) return null;
  const { errorCode, endOffset } = await leader.connectionPool.send<EpochEnd>({
    request: {
      apiKey: OFFSET_FOR_LEADER_EPOCH,
      apiVersion: VERSION,
      apiName: 'OffsetForLeaderEpoch',
      encode: async () =>
        new Encoder()
          .writeInt32(READER)
          .writeArray([
            new Encoder()
              .writeString(topic)
              .writeArray([new Encoder().writeInt32(partition).writeInt32(UNKNOWN).writeInt32(leaderEpoch)]),
          ]),
    },
    response: { decode: async (raw) => decodeEpochEnd(raw), parse: async (data) => data },
    logResponseError: false,
  });
  if (errorCode !== 0) {
    throw faultAbout(errorCode, { resource: 'topic', name: topic, partition, operation: 'Read' });
  }
  return endOffset < 0 ? null : endOffset;
}

interface EpochEnd {
  readonly errorCode: number;
  readonly endOffset: number;
}

function decodeEpochEnd(raw: Buffer): EpochEnd & { clientSideThrottleTime: number } {
  const decoder = new Decoder(raw);
  const clientSideThrottleTime = decoder.readInt32();
  const [ends = []] = decoder.readArray((ofTopic) => {
    ofTopic.readString();
    return ofTopic.readArray((ofPartition) => {
      const errorCode = ofPartition.readInt16();
      ofPartition.readInt32(); // Its number.
      ofPartition.readInt32(); // The newest epoch up to the one that was asked for.
      return { errorCode, endOffset: Number(ofPartition.readInt64().toString()) };
    });
  });
  const [end = { errorCode: 0, endOffset: UNKNOWN }] = ends;
  return { ...end, clientSideThrottleTime };
}
