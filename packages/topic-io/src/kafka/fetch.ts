import type { Broker } from 'kafkajs/src/broker/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { BOUNDS } from './config.ts';
import { faultAbout } from './faults.ts';
import { refuseOldBroker } from './oldest-broker.ts';
import type { AbortedTransaction } from './record-batch.ts';

/** One partition of a fetch answer, with its records still encoded. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly stableEnd: number;
  readonly highWatermark: number;
  readonly startOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly bytes: Buffer;
  /**
   * Is true if the broker wants this partition to be read from another replica. The answer then says nothing about the
   * log.
   */
  readonly elsewhere: boolean;
}

const FETCH = 1;
const VERSION = 11;
const CONSUMER = -1;
const READ_COMMITTED = 1;
const NO_SESSION_EPOCH = -1;
const UNKNOWN = -1;

/**
 * Sends one long poll for partitions of a topic that `broker` leads, and reads committed records. It has its own
 * decoder, because kafkajs's throws for the whole answer when one partition has an error.
 */
export async function fetchPartitions(options: {
  broker: Broker;
  topic: string;
  positions: readonly { readonly partition: number; readonly offset: number }[];
  /** How long the broker may wait for the first byte. */
  waitMs: number;
}): Promise<readonly FetchedPartition[]> {
  const { broker, topic, positions, waitMs } = options;
  refuseOldBroker(broker);
  const answer = await broker.connectionPool.send<FetchAnswer>({
    request: {
      apiKey: FETCH,
      apiVersion: VERSION,
      apiName: 'Fetch',
      encode: async () =>
        new Encoder()
          .writeInt32(CONSUMER)
          .writeInt32(waitMs)
          .writeInt32(1) // The minimum bytes: the broker answers as soon as there is anything.
          .writeInt32(BOUNDS.fetchBytes)
          .writeInt8(READ_COMMITTED)
          .writeInt32(0)
          .writeInt32(NO_SESSION_EPOCH)
          .writeArray([new Encoder().writeString(topic).writeArray(positions.map(encodePosition))])
          .writeArray([])
          .writeString(''),
    },
    response: { decode: async (raw) => decodeAnswer(raw), parse: async (data) => data },
    logResponseError: false,
  });
  if (answer.errorCode !== 0)
    throw faultAbout(answer.errorCode, { resource: 'topic', name: topic, operation: 'Read' });
  return answer.partitions;
}

interface FetchAnswer {
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

function encodePosition(position: { partition: number; offset: number }): Encoder {
  return new Encoder()
    .writeInt32(position.partition)
    .writeInt32(UNKNOWN) // Leader epoch.
    .writeInt64(position.offset)
    .writeInt64(UNKNOWN) // Log start, which only followers know.
    .writeInt32(BOUNDS.fetchPartitionBytes);
}

function decodeAnswer(raw: Buffer): FetchAnswer & { clientSideThrottleTime: number } {
  let at = 0;
  const int16 = () => {
    at += 2;
    return raw.readInt16BE(at - 2);
  };
  const int32 = () => {
    at += 4;
    return raw.readInt32BE(at - 4);
  };
  const int64 = () => {
    at += 8;
    return raw.readBigInt64BE(at - 8);
  };
  const take = (length: number) => {
    at += Math.max(length, 0);
    return raw.subarray(at - Math.max(length, 0), at);
  };
  const clientSideThrottleTime = int32();
  const errorCode = int16();
  int32(); // Session id.
  const partitions: FetchedPartition[] = [];
  for (let topics = int32(); topics > 0; topics -= 1) {
    take(int16()); // The topic's name. There is only one topic.
    for (let left = int32(); left > 0; left -= 1) {
      const partition = int32();
      const partitionErrorCode = int16();
      const highWatermark = Number(int64());
      const stableEnd = Number(int64());
      const startOffset = Number(int64());
      const aborted: AbortedTransaction[] = [];
      for (let count = int32(); count > 0; count -= 1) {
        aborted.push({ producerId: int64(), firstOffset: Number(int64()) });
      }
      const elsewhere = int32() !== UNKNOWN;
      const bytes = take(int32());
      partitions.push({
        partition,
        errorCode: partitionErrorCode,
        stableEnd,
        highWatermark,
        startOffset,
        aborted,
        bytes,
        elsewhere,
      });
    }
  }
  return { errorCode, partitions, clientSideThrottleTime };
}
