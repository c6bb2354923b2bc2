/** A field of a protobuf message as it is on the wire. */
export interface WireField {
  readonly number: number;
  readonly wire: WireType;
  /** The value of a varint, read as a signed number of 64 bits; 0 for other wire types. Beyond 2^53 it is rounded. */
  readonly varint: number;
  /** The bytes of any other wire type: eight, four, or as many as the message says. They are not copied. */
  readonly bytes: Buffer;
}

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = (typeof wireTypes)[keyof typeof wireTypes];

const NO_BYTES = Buffer.alloc(0);
const VARINT_BYTES_MAX = 10;

/**
 * Hands over the fields of a message one after the other, so that a large one costs no memory. Returns false if the bytes
 * are no message; what came before was handed over. Groups, which proto3 does not have, count as damage.
 */
export function eachField(message: Buffer, take: (field: WireField) => void): boolean {
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    if (tag === null) return false;
    at = tag.end;
    const number = Math.floor(tag.value / 8);
    if (number < 1 || number > 0x1fff_ffff) return false;
    const wire = tag.value % 8;
    switch (wire) {
      case wireTypes.varint: {
        const varint = readVarint(message, at);
        if (varint === null) return false;
        at = varint.end;
        take({ number, wire, varint: varint.value, bytes: NO_BYTES });
        break;
      }
      case wireTypes.fixed64:
      case wireTypes.fixed32:
      case wireTypes.bytes: {
        const length = lengthAt(message, at, wire);
        if (length === null || length.value < 0 || length.end + length.value > message.length) return false;
        at = length.end + length.value;
        take({ number, wire, varint: 0, bytes: message.subarray(length.end, at) });
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

function lengthAt(message: Buffer, at: number, wire: WireType): { value: number; end: number } | null {
  if (wire === wireTypes.fixed64) return { value: 8, end: at };
  if (wire === wireTypes.fixed32) return { value: 4, end: at };
  return readVarint(message, at);
}

/** Reads a varint as a signed number of 64 bits. */
export function readVarint(bytes: Buffer, start: number): { value: number; end: number } | null {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.length && at - start < VARINT_BYTES_MAX; at += 1) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) {
      const end = at + 1;
      return { value: value <= Number.MAX_SAFE_INTEGER ? value : exactVarint(bytes, start, end), end };
    }
  }
  return null;
}

function exactVarint(bytes: Buffer, start: number, end: number): number {
  let value = 0n;
  for (let at = end - 1; at >= start; at -= 1) value = (value << 7n) | BigInt(bytes[at]! & 0x7f);
  return Number(BigInt.asIntN(64, value));
}

/** The text of a field; bytes that are no UTF-8 become replacement characters. */
export function textOf(field: WireField): string {
  return field.bytes.toString('utf8');
}

/** The value of a `float` or `double`. NaN if the field is of another wire type. */
export function floatOf(field: WireField): number {
  if (field.wire === wireTypes.fixed32) return field.bytes.readFloatLE(0);
  return field.wire === wireTypes.fixed64 ? field.bytes.readDoubleLE(0) : Number.NaN;
}
