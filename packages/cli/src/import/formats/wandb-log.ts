import { crc32 } from '@node-rs/crc32';
import { ByteQueue } from './byte-queue.ts';
import { type FramedRecord, RECORD_BYTES_MAX } from './tf-records.ts';

const BLOCK_BYTES = 32 * 1024;
const HEAD_BYTES = 7;
export const WANDB_MAGIC = Buffer.from(':W&B');
const WANDB_HEAD = Buffer.from([...WANDB_MAGIC, 0xe1, 0xbe, 0]);

const pieceTypes = { padding: 0, full: 1, first: 2, middle: 3, last: 4 } as const;

/**
 * Takes a `.wandb` file apart. It is LevelDB's log, after seven bytes that name it: blocks of 32 KiB, in which a record
 * lies in pieces that do not cross a block, each with a checksum. After damage the next block is read.
 */
export class WandbLog {
  readonly #queue = new ByteQueue();
  /** The place in the file of the first byte of the queue. */
  #at = 0;
  #skipBytes = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #recordAt = 0;
  #state: 'outside' | 'inside' | 'too_large' | 'searching' = 'outside';
  #isForeign = false;

  *push(chunk: Buffer): Generator<FramedRecord> {
    if (this.#isForeign) return;
    this.#queue.push(chunk);
    for (;;) {
      if (this.#skipBytes > 0) {
        const skipped = this.#queue.skip(this.#skipBytes);
        this.#skipBytes -= skipped;
        this.#at += skipped;
      }
      if (this.#skipBytes > 0 || this.#queue.length < HEAD_BYTES) {
        if (!this.#skipsPadding()) return;
        continue;
      }
      if (this.#at === 0) {
        const head = this.#take(HEAD_BYTES);
        if (head.equals(WANDB_HEAD)) continue;
        this.#isForeign = true;
        this.#queue.clear();
        yield { kind: 'damaged', at: 0, message: 'this is not a .wandb file of a version that is known' };
        return;
      }
      if (this.#skipsPadding()) continue;
      const head = this.#queue.peek(HEAD_BYTES);
      const length = head.readUInt16LE(4);
      const type = head[6]!;
      const roomBytes = BLOCK_BYTES - (this.#at % BLOCK_BYTES) - HEAD_BYTES;
      if (type === pieceTypes.padding && length === 0) {
        this.#skipBytes = roomBytes + HEAD_BYTES;
        continue;
      }
      if (type > pieceTypes.last || length > roomBytes) {
        yield this.#damaged('the head of a record is damaged');
        continue;
      }
      if (this.#queue.length < HEAD_BYTES + length) return;
      const at = this.#at;
      const frame = this.#queue.peek(HEAD_BYTES + length);
      const bytes = frame.subarray(HEAD_BYTES);
      if (crc32(bytes, crc32(frame.subarray(6, 7))) !== frame.readUInt32LE(0)) {
        yield this.#damaged('the checksum of a record is wrong');
        continue;
      }
      this.#take(HEAD_BYTES + length);
      yield* this.#piece(type, bytes, at);
    }
  }

  /** Is true while bytes of a record are there that is not complete. */
  get isCut(): boolean {
    return this.#queue.length > 0 || this.#state === 'inside' || this.#state === 'too_large';
  }

  /** A block has no piece whose head does not fit into it. */
  #skipsPadding(): boolean {
    const leftBytes = BLOCK_BYTES - (this.#at % BLOCK_BYTES);
    if (leftBytes >= HEAD_BYTES || this.#queue.length < leftBytes) return false;
    this.#take(leftBytes);
    return true;
  }

  *#piece(type: number, bytes: Buffer, at: number): Generator<FramedRecord> {
    const begins = type === pieceTypes.full || type === pieceTypes.first;
    const ends = type === pieceTypes.full || type === pieceTypes.last;
    if (begins) {
      if (this.#state === 'inside' || this.#state === 'too_large') {
        yield { kind: 'damaged', at: this.#recordAt, message: 'a record has no end' };
      }
      this.#clear('inside');
      this.#recordAt = at;
    } else if (this.#state === 'outside') {
      yield { kind: 'damaged', at, message: 'a record has no beginning' };
      this.#clear(ends ? 'outside' : 'searching');
      return;
    }
    if (this.#state === 'inside') {
      this.#pieces.push(bytes);
      this.#pieceBytes += bytes.length;
      if (this.#pieceBytes > RECORD_BYTES_MAX) this.#clear('too_large', this.#pieceBytes);
    } else this.#pieceBytes += bytes.length;
    if (!ends) return;
    if (this.#state === 'inside') {
      const record = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      yield { kind: 'record', at: this.#recordAt, bytes: record };
    } else if (this.#state === 'too_large') {
      yield { kind: 'too_large', at: this.#recordAt, length: this.#pieceBytes };
    }
    this.#clear('outside');
  }

  #damaged(what: string): FramedRecord {
    const at = this.#at;
    this.#clear('searching');
    this.#skipBytes = BLOCK_BYTES - (at % BLOCK_BYTES);
    return { kind: 'damaged', at, message: `${what}; the rest of its block of 32 KiB was not read` };
  }

  #clear(state: 'outside' | 'inside' | 'too_large' | 'searching', pieceBytes = 0): void {
    this.#state = state;
    this.#pieces = [];
    this.#pieceBytes = pieceBytes;
  }

  #take(bytes: number): Buffer {
    this.#at += bytes;
    return this.#queue.take(bytes);
  }
}
