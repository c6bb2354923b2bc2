import { crc32c } from '@node-rs/crc32';
import { ByteQueue } from './byte-queue.ts';

/** Larger records hold pictures or graphs: those of numbers and texts are far below. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;

const HEAD_BYTES = 12;
const CHECKSUM_BYTES = 4;

export type FramedRecord =
  | { readonly kind: 'record'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'too_large'; readonly at: number; readonly length: number }
  | { readonly kind: 'damaged'; readonly at: number; readonly message: string };

/**
 * Takes TFRecord framing apart: the length of eight bytes, its checksum, the data, and their checksum. Where a length is damaged
 * nobody knows where the next record begins, and the rest is not read.
 */
export class TfRecords {
  readonly #queue = new ByteQueue();
  #at = 0;
  #skipBytes = 0;
  #isLost = false;

  *push(chunk: Buffer): Generator<FramedRecord> {
    if (this.#isLost) return;
    this.#queue.push(chunk);
    while (!this.#isLost) {
      if (this.#skipBytes > 0) this.#skipBytes -= this.#queue.skip(this.#skipBytes);
      if (this.#skipBytes > 0 || this.#queue.length < HEAD_BYTES) return;
      const head = this.#queue.peek(HEAD_BYTES);
      const at = this.#at;
      const length = Number(head.readBigUInt64LE(0));
      if (maskedChecksum(head.subarray(0, 8)) !== head.readUInt32LE(8) || !Number.isSafeInteger(length)) {
        this.#isLost = true;
        this.#queue.clear();
        yield {
          kind: 'damaged',
          at,
          message: 'the length of a record is damaged; nothing after it was read',
        };
        return;
      }
      const frameBytes = HEAD_BYTES + length + CHECKSUM_BYTES;
      if (length > RECORD_BYTES_MAX) {
        this.#skipBytes = frameBytes;
        this.#at += frameBytes;
        yield { kind: 'too_large', at, length };
        continue;
      }
      if (this.#queue.length < frameBytes) return;
      const frame = this.#queue.take(frameBytes);
      this.#at += frameBytes;
      const bytes = frame.subarray(HEAD_BYTES, HEAD_BYTES + length);
      yield maskedChecksum(bytes) === frame.readUInt32LE(HEAD_BYTES + length)
        ? { kind: 'record', at, bytes }
        : { kind: 'damaged', at, message: 'the checksum of a record is wrong; the record was not read' };
    }
  }

  /** Is true while bytes of a record are there that is not complete. */
  get isCut(): boolean {
    return this.#queue.length > 0 || this.#skipBytes > 0;
  }
}

/** TensorFlow masks checksums because data may hold checksums itself. */
export function maskedChecksum(bytes: Buffer): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
