/** The length in front of each frame. */
export const PREFIX_BYTES = 4;

/** The requests whose fields the proxy reads: those of which a transaction consists. */
const API_NAMES: Readonly<Record<number, KafkaRequest['api']>> = {
  0: 'Produce',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
};
/** The first version with compact strings and tagged fields. */
const FLEXIBLE_SINCE: Readonly<Record<number, number>> = { 0: 9, 22: 2, 24: 3, 25: 3, 26: 3, 28: 3 };

export interface KafkaRequest {
  readonly api:
    | 'Produce'
    | 'InitProducerId'
    | 'AddPartitionsToTxn'
    | 'AddOffsetsToTxn'
    | 'EndTxn'
    | 'TxnOffsetCommit'
    | 'other';
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Null if the request has none or is none of the requests of a transaction. */
  readonly transactionalId: string | null;
  /** Of an EndTxn: whether it commits. */
  readonly commits: boolean;
  /** As it came, with its length in front. */
  readonly frame: Buffer;
}

/** Reads the head of a request, and what a test may want to know of a request that belongs to a transaction. */
export function describeFrame(frame: Buffer): KafkaRequest {
  const apiKey = frame.readInt16BE(PREFIX_BYTES);
  const apiVersion = frame.readInt16BE(PREFIX_BYTES + 2);
  const correlationId = frame.readInt32BE(PREFIX_BYTES + 4);
  const clientId = nullableString(frame, PREFIX_BYTES + 8);
  const api = API_NAMES[apiKey] ?? 'other';
  const isFlexible = apiVersion >= (FLEXIBLE_SINCE[apiKey] ?? Number.POSITIVE_INFINITY);
  let id: { text: string | null; end: number } = { text: null, end: clientId.end };
  if (api !== 'other') {
    // Nobody sends tagged fields in a head, so there is one byte that says so.
    id = isFlexible ? compactString(frame, clientId.end + 1) : nullableString(frame, clientId.end);
  }
  return {
    ...{ api, apiKey, apiVersion, correlationId, frame },
    clientId: clientId.text,
    transactionalId: id.text,
    commits: api === 'EndTxn' && frame.readInt8(id.end + PRODUCER_BYTES) === 1,
  };
}

/** A producer's id and epoch. */
const PRODUCER_BYTES = 8 + 2;

function nullableString(frame: Buffer, at: number): { text: string | null; end: number } {
  const length = frame.readInt16BE(at);
  const begin = at + 2;
  if (length < 0) return { text: null, end: begin };
  return { text: frame.toString('utf8', begin, begin + length), end: begin + length };
}

/** Reads a string whose length, plus one, is a varint of at most two bytes: no id here is longer. */
function compactString(frame: Buffer, at: number): { text: string | null; end: number } {
  const low = frame.readUInt8(at);
  const isLong = low >= 0x80;
  const length = (low & 0x7f) + (isLong ? frame.readUInt8(at + 1) << 7 : 0) - 1;
  const begin = at + (isLong ? 2 : 1);
  if (length < 0) return { text: null, end: begin };
  return { text: frame.toString('utf8', begin, begin + length), end: begin + length };
}
