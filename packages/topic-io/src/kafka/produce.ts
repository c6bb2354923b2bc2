import type { Broker } from 'kafkajs/src/broker/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { type Compression, codecOf, compress } from '../compression.ts';
import type { RecordToAppend } from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { about, type FaultSubject, KafkaFault } from './faults.ts';
import { refuseOldBroker } from './oldest-broker.ts';
import { encodeRecordBatch, recordsIn, replaceRecords } from './record-batch-encoder.ts';
import type { KafkaSession } from './session.ts';

/** The identity of an idempotent producer. Each partition has a sequence number besides. */
export interface ProducerIdentity {
  readonly producerId: unknown;
  readonly producerEpoch: number;
}

const ACKS_ALL = -1;
export const BATCH_HEADER_BYTES = 61;
/**
 * The sum of the largest encodings of length, attributes, timestamp, offset, key length, value length and header count.
 */
const RECORD_OVERHEAD_BYTES = 36;
const HEADER_OVERHEAD_BYTES = 10;

/** Returns an upper bound, a few bytes above what the record takes on the wire. */
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

export interface ProduceOptions {
  readonly session: KafkaSession;
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordToAppend[];
  /** The sum of the records' `wireBytes`. */
  readonly recordBytes: number;
  readonly identity: ProducerIdentity;
  readonly firstSequence: number;
  readonly transactionalId?: string;
  readonly compression?: Compression;
}

/**
 * Sends one produce request for one partition with acks=all, and resolves to the offset of its first record. Repeating
 * it with the same identity and sequence is harmless, because the broker recognises it. Use it within
 * `KafkaSession.attempt`.
 */
export async function produce(options: ProduceOptions): Promise<number> {
  const { session, topic, partition } = options;
  const leader = await session.leader({ topic, partition });
  const byKafkajs = session.encoder === 'kafkajs' && KAFKAJS_COMPRESSIONS.has(options.compression ?? 'none');
  const send = byKafkajs ? produceByKafkajs : produceByOurselves;
  const toTopic = { resource: 'topic', name: topic, partition, operation: 'Write' } as const;
  const asWriter = writerSubject(options.transactionalId);
  const baseOffset = await about([toTopic, ...asWriter], send(leader, options));
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) {
    throw new KafkaFault(null, `the broker's answer does not cover ${topic}/${partition}`);
  }
  return baseOffset;
}

/** What kafkajs compresses without plug-ins. */
const KAFKAJS_COMPRESSIONS: ReadonlySet<Compression> = new Set(['none', 'gzip']);

/** Requests of a transaction may be refused for its id. */
export function writerSubject(transactionalId: string | undefined): FaultSubject[] {
  if (transactionalId === undefined) return [];
  return [{ resource: 'transactional-id', name: transactionalId, operation: 'Write' }];
}

const PRODUCE = 0;
/** The oldest version that is sent, and the newest, whose answer also says in words what is wrong with a record. */
const VERSION = 7;
const VERSION_WITH_REASON = 8;

async function produceByOurselves(leader: Broker, options: ProduceOptions): Promise<number> {
  refuseOldBroker(leader);
  const offered = leader.versions?.[PRODUCE]?.maxVersion ?? VERSION;
  const apiVersion = Math.min(offered, VERSION_WITH_REASON);
  const answer = await leader.connectionPool.send<ProduceAnswer>({
    request: {
      apiKey: PRODUCE,
      apiVersion,
      apiName: 'Produce',
      encode: () => encode(options),
    },
    response: { decode: async (raw) => decodeAnswer(raw, apiVersion), parse: async (data) => data },
    logResponseError: false,
  });
  const { errorCode, baseOffset, reason } = answer;
  if (errorCode !== 0) throw new KafkaFault(errorCode, reason ?? '');
  return baseOffset;
}

/**
 * Encodes the request and compresses outside the event loop. Order within the lane holds, because it has one request at
 * a time; other lanes send theirs meanwhile.
 */
async function encode(options: ProduceOptions): Promise<Encoder> {
  const { topic, partition, records, recordBytes, identity, firstSequence, transactionalId } = options;
  const { compression = 'none' } = options;
  const head = new Encoder()
    .writeString(transactionalId ?? null)
    .writeInt16(ACKS_ALL)
    .writeInt32(BOUNDS.produceRequestMs)
    .writeInt32(1) // Topics.
    .writeString(topic)
    .writeInt32(1) // Partitions.
    .writeInt32(partition);
  const headBytes = head.offset + LENGTH_BYTES;
  const request = Buffer.allocUnsafe(headBytes + BATCH_HEADER_BYTES + recordBytes);
  const batch = request.subarray(headBytes);
  let batchBytes = encodeRecordBatch(
    {
      records,
      producerId: BigInt(String(identity.producerId)),
      producerEpoch: identity.producerEpoch,
      firstSequence,
      transactional: transactionalId !== undefined,
    },
    batch,
  );
  if (compression !== 'none') {
    const plain = recordsIn(batch, batchBytes);
    const compressed = await compress(plain, compression);
    // A batch that does not shrink is sent uncompressed: it must not outgrow the broker's limit.
    if (compressed.length < plain.length) {
      batchBytes = replaceRecords(batch, { records: compressed, codec: codecOf(compression) });
    }
  }
  request.set(head.buf.subarray(0, head.offset));
  request.writeInt32BE(batchBytes, head.offset);
  head.buf = request;
  head.offset = headBytes + batchBytes;
  return head;
}

const LENGTH_BYTES = 4;

interface ProduceAnswer {
  readonly errorCode: number;
  /** Is -1 if the answer holds no partition. */
  readonly baseOffset: number;
  /** What the broker says is wrong with a record; null if it says nothing. */
  readonly reason: string | null;
}

/** There is one topic with one partition in it, because the request had one. */
function decodeAnswer(raw: Buffer, version: number): ProduceAnswer & { clientSideThrottleTime: number } {
  const clientSideThrottleTime = raw.readInt32BE(raw.length - 4);
  const none = { errorCode: 0, baseOffset: -1, reason: null, clientSideThrottleTime };
  if (raw.readInt32BE(0) !== 1) return none;
  const partitionsAt = 4 + 2 + raw.readInt16BE(4);
  if (raw.readInt32BE(partitionsAt) !== 1) return none;
  const errorCode = raw.readInt16BE(partitionsAt + 8);
  const baseOffset = Number(raw.readBigInt64BE(partitionsAt + 10));
  const reason = version < VERSION_WITH_REASON ? null : reasonAt(raw, partitionsAt + 34);
  return { errorCode, baseOffset, reason, clientSideThrottleTime };
}

/** Returns what is said of the first record that is at fault, or else of the batch. */
function reasonAt(raw: Buffer, from: number): string | null {
  const count = raw.readInt32BE(from);
  // Each begins with the place of the record in the batch.
  const textAt = count > 0 ? from + 8 : from + 4;
  const bytes = raw.readInt16BE(textAt);
  return bytes < 0 ? null : raw.toString('utf8', textAt + 2, textAt + 2 + bytes);
}

async function produceByKafkajs(leader: Broker, options: ProduceOptions): Promise<number> {
  const { topic, partition, records, identity, firstSequence, transactionalId } = options;
  const messages = records.map(({ key, value, headers, timestampMs }) => ({
    key,
    value,
    headers,
    timestamp: String(timestampMs),
  }));
  const answer = await leader.produce({
    acks: ACKS_ALL,
    timeout: BOUNDS.produceRequestMs,
    ...identity,
    ...(transactionalId !== undefined && { transactionalId }),
    compression: codecOf(options.compression ?? 'none'),
    topicData: [{ topic, partitions: [{ partition, firstSequence, messages }] }],
  });
  const ours = answer.topics
    .find((entry) => entry.topicName === topic)
    ?.partitions.find((entry) => entry.partition === partition);
  return Number(ours?.baseOffset ?? -1);
}
