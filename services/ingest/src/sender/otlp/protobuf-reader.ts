import { seenText } from './seen-texts.ts';

/** The bytes are no message in the wire format of protobuf. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
const WIRE_GROUP_BEGIN = 3;
const WIRE_GROUP_END = 4;
const WIRE_FIXED32 = 5;
/** No message of OpenTelemetry has groups. They are skipped as unknown fields, and only so deep. */
const GROUP_DEPTH_MAX = 32;
const VARINT_BYTES_MAX = 10;

/**
 * Reads the fields of one message between two places of a buffer. It never reads beyond its end. A message inside is read by
 * the same reader, between `enter` and `leave`, because a record has dozens of them. After an error a reader is of no more use.
 */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;
  /** The number and the wire type of the field that `next` came to. */
  field = 0;
  wire = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field. Returns false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varintNumber();
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (this.field === 0 || this.field > 0x1fffffff) throw new ProtobufError('a field has an invalid number');
    return true;
  }

  /** Reads a length and goes behind the bytes. Returns where they begin; they end where the reader then stands. */
  bytesStart(): number {
    const length = this.#varintNumber();
    const start = this.#at;
    if (length > this.#end - start) throw new ProtobufError('a field ends behind its message');
    this.#at = start + length;
    return start;
  }

  /** Returns a reader of the same message that begins here. */
  again(): ProtobufReader {
    return new ProtobufReader(this.#bytes, this.#at, this.#end);
  }

  get bytesLeft(): number {
    return this.#end - this.#at;
  }

  get at(): number {
    return this.#at;
  }

  /** Goes into the message that is the value of this field. Returns what `leave` must be given. */
  enter(): number {
    const start = this.bytesStart();
    const outerEnd = this.#end;
    this.#end = this.#at;
    this.#at = start;
    return outerEnd;
  }

  /** Goes behind the message, whose fields have all been read. */
  leave(outerEnd: number): void {
    this.#at = this.#end;
    this.#end = outerEnd;
  }

  text(): string {
    const start = this.bytesStart();
    return seenText(this.#bytes, start, this.#at);
  }

  hex(): string {
    const start = this.bytesStart();
    return this.#bytes.toString('hex', start, this.#at);
  }

  base64(): string {
    const start = this.bytesStart();
    return this.#bytes.toString('base64', start, this.#at);
  }

  message(): ProtobufReader {
    const start = this.bytesStart();
    return new ProtobufReader(this.#bytes, start, this.#at);
  }

  fixed64(): bigint {
    const start = this.#skipBytes(8);
    return this.#bytes.readBigUInt64LE(start);
  }

  double(): number {
    const start = this.#skipBytes(8);
    return this.#bytes.readDoubleLE(start);
  }

  /** Reads an int64: as a number if a double holds it exactly, else as text. */
  int64(): number | string {
    const small = this.#smallVarint();
    if (small !== null) return small;
    const value = BigInt.asIntN(64, this.#varint());
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }

  /** Reads an int32 or an enum; what is more is cut off, as protobuf does. */
  int32(): number {
    return this.#smallVarint() ?? Number(BigInt.asIntN(32, this.#varint()));
  }

  bool(): boolean {
    const small = this.#smallVarint();
    return small !== null ? small !== 0 : this.#varint() !== 0n;
  }

  /** Goes behind a field that nobody reads. */
  skip(depth = 0): void {
    switch (this.wire) {
      case WIRE_VARINT:
        this.#varint();
        return;
      case WIRE_FIXED64:
        this.#skipBytes(8);
        return;
      case WIRE_BYTES:
        this.bytesStart();
        return;
      case WIRE_FIXED32:
        this.#skipBytes(4);
        return;
      case WIRE_GROUP_BEGIN:
        this.#skipGroup(this.field, depth + 1);
        return;
      default:
        throw new ProtobufError(`a field has the invalid wire type ${this.wire}`);
    }
  }

  #skipGroup(group: number, depth: number): void {
    if (depth > GROUP_DEPTH_MAX) throw new ProtobufError('groups are nested too deep');
    while (this.next()) {
      if (this.wire === WIRE_GROUP_END) {
        if (this.field !== group) throw new ProtobufError('a group ends that did not begin');
        return;
      }
      this.skip(depth);
    }
    throw new ProtobufError('a group does not end');
  }

  #skipBytes(count: number): number {
    const start = this.#at;
    if (count > this.#end - start) throw new ProtobufError('a field ends behind its message');
    this.#at = start + count;
    return start;
  }

  /** Reads a varint that is a tag or a length, which are below 2 to the power of 32. */
  #varintNumber(): number {
    const small = this.#smallVarint();
    if (small !== null) return small;
    const value = this.#varint();
    if (value > 0xffff_ffffn) throw new ProtobufError('a length or a tag is too large');
    return Number(value);
  }

  /** Reads a varint of one or two bytes, and returns null before any other. */
  #smallVarint(): number | null {
    const at = this.#at;
    if (this.#end - at < 2) {
      if (at >= this.#end || this.#bytes[at]! >= 0x80) return null;
      this.#at = at + 1;
      return this.#bytes[at]!;
    }
    const first = this.#bytes[at]!;
    if (first < 0x80) {
      this.#at = at + 1;
      return first;
    }
    const second = this.#bytes[at + 1]!;
    if (second >= 0x80) return null;
    this.#at = at + 2;
    return (first & 0x7f) | (second << 7);
  }

  #varint(): bigint {
    let small = 0;
    for (let count = 0; count < 4; count += 1) {
      const byte = this.#byte();
      small += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) return BigInt(small);
    }
    let value = BigInt(small);
    for (let count = 4; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('a number does not end');
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new ProtobufError('a number is cut off');
    const byte = this.#bytes[this.#at]!;
    this.#at += 1;
    return byte;
  }
}
