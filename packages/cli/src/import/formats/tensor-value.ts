import { eachField, floatOf, readVarint, textOf, type WireField, wireTypes } from './protobuf.ts';

export type TensorValue =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  /** An array, or a type that is no number, such as a histogram's. */
  | { readonly kind: 'other' };

/** TensorFlow's numbers of types. */
const dtypes = {
  float: 1,
  double: 2,
  int32: 3,
  uint8: 4,
  int16: 5,
  int8: 6,
  string: 7,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  half: 19,
  uint32: 22,
  uint64: 23,
} as const;

const TEXTS_MAX = 64;

const fields = {
  dtype: 1,
  shape: 2,
  content: 4,
  float: 5,
  double: 6,
  int: 7,
  string: 8,
  int64: 10,
  bool: 11,
  half: 13,
  uint32: 16,
  uint64: 17,
} as const;

/** Reads a `TensorProto` if it has one number or some texts. Returns null if the bytes are no message. */
export function tensorValue(message: Buffer): TensorValue | null {
  let dtype = 0;
  let content: Buffer | null = null;
  let elements = 1;
  const numbers: number[] = [];
  const texts: string[] = [];
  const isRead = eachField(message, (field) => {
    switch (field.number) {
      case fields.dtype:
        dtype = field.varint;
        break;
      case fields.shape:
        elements = elementsOf(field.bytes);
        break;
      case fields.content:
        content = field.bytes;
        break;
      case fields.string:
        if (texts.length < TEXTS_MAX) texts.push(textOf(field));
        break;
      case fields.float:
      case fields.double:
      case fields.int:
      case fields.int64:
      case fields.bool:
      case fields.half:
      case fields.uint32:
      case fields.uint64:
        // The first number is enough: two of them are an array.
        if (numbers.length === 0) numbers.push(...firstNumber(field));
        break;
      default:
    }
  });
  if (!isRead) return null;
  if (dtype === dtypes.string) return { kind: 'texts', texts };
  if (elements !== 1) return { kind: 'other' };
  const value = content === null ? listedNumber(dtype, numbers) : contentNumber(dtype, content);
  return value === null ? { kind: 'other' } : { kind: 'number', value };
}

/** A shape without dimensions has one element. */
function elementsOf(shape: Buffer): number {
  let elements = 1;
  eachField(shape, (dimension) => {
    if (dimension.number !== 2) return;
    let size = 0;
    eachField(dimension.bytes, (field) => {
      if (field.number === 1) size = field.varint;
    });
    elements *= size;
  });
  return elements;
}

/** Repeated numbers are packed into one field, or stand in a field each. */
function firstNumber(field: WireField): number[] {
  if (field.wire === wireTypes.varint) return [field.varint];
  if (field.wire !== wireTypes.bytes) return [floatOf(field)];
  if (field.number === fields.float) return field.bytes.length < 4 ? [] : [field.bytes.readFloatLE(0)];
  if (field.number === fields.double) return field.bytes.length < 8 ? [] : [field.bytes.readDoubleLE(0)];
  const varint = readVarint(field.bytes, 0);
  return varint === null ? [] : [varint.value];
}

/** A list without its last elements repeats the last one; without any, all are 0. */
function listedNumber(dtype: number, numbers: readonly number[]): number | null {
  const value = numbers[0] ?? 0;
  switch (dtype) {
    case dtypes.half:
      return ofHalf(value & 0xffff);
    case dtypes.bfloat16:
      return ofBfloat16(value & 0xffff);
    case dtypes.uint64:
      return value < 0 ? value + 2 ** 64 : value;
    case dtypes.float:
    case dtypes.double:
    case dtypes.int32:
    case dtypes.uint8:
    case dtypes.int16:
    case dtypes.int8:
    case dtypes.int64:
    case dtypes.bool:
    case dtypes.uint16:
    case dtypes.uint32:
      return value;
    default:
      return null;
  }
}

function contentNumber(dtype: number, content: Buffer): number | null {
  const read = contentReaders.get(dtype);
  return read === undefined || content.length !== read.bytes ? null : read.of(content);
}

const contentReaders = new Map<number, { bytes: number; of: (content: Buffer) => number }>([
  [dtypes.float, { bytes: 4, of: (content) => content.readFloatLE(0) }],
  [dtypes.double, { bytes: 8, of: (content) => content.readDoubleLE(0) }],
  [dtypes.half, { bytes: 2, of: (content) => ofHalf(content.readUInt16LE(0)) }],
  [dtypes.bfloat16, { bytes: 2, of: (content) => ofBfloat16(content.readUInt16LE(0)) }],
  [dtypes.int8, { bytes: 1, of: (content) => content.readInt8(0) }],
  [dtypes.uint8, { bytes: 1, of: (content) => content.readUInt8(0) }],
  [dtypes.bool, { bytes: 1, of: (content) => content.readUInt8(0) }],
  [dtypes.int16, { bytes: 2, of: (content) => content.readInt16LE(0) }],
  [dtypes.uint16, { bytes: 2, of: (content) => content.readUInt16LE(0) }],
  [dtypes.int32, { bytes: 4, of: (content) => content.readInt32LE(0) }],
  [dtypes.uint32, { bytes: 4, of: (content) => content.readUInt32LE(0) }],
  [dtypes.int64, { bytes: 8, of: (content) => Number(content.readBigInt64LE(0)) }],
  [dtypes.uint64, { bytes: 8, of: (content) => Number(content.readBigUInt64LE(0)) }],
]);

/** Reads IEEE 754's 16 bits. */
function ofHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
}

/** The upper half of a float. */
function ofBfloat16(bits: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(bits, 2);
  return bytes.readFloatLE(0);
}
