import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eachField, floatOf, textOf, type WireField, wireTypes } from './protobuf.ts';

type Value =
  | { readonly wire: 'varint'; readonly value: bigint }
  | { readonly wire: 'fixed64'; readonly value: number }
  | { readonly wire: 'fixed32'; readonly value: number }
  | { readonly wire: 'bytes'; readonly value: string };

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.record({ wire: fc.constant('varint' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
  fc.record({ wire: fc.constant('fixed64' as const), value: fc.double() }),
  fc.record({ wire: fc.constant('fixed32' as const), value: fc.float() }),
  fc.record({ wire: fc.constant('bytes' as const), value: fc.string({ unit: 'grapheme' }) }),
);
const message = fc.array(fc.record({ number: fc.integer({ min: 1, max: 2 ** 29 - 1 }), value }));

function varint(of: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, of);
  do {
    const more = rest >> 7n;
    bytes.push(Number(rest & 0x7fn) | (more > 0n ? 0x80 : 0));
    rest = more;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

function encoded({ wire, value: of }: Value): Buffer {
  switch (wire) {
    case 'varint':
      return varint(of);
    case 'fixed64': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(of);
      return bytes;
    }
    case 'fixed32': {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatLE(of);
      return bytes;
    }
    case 'bytes': {
      const bytes = Buffer.from(of);
      return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
    }
  }
}

function fieldBytes(fields: readonly { number: number; value: Value }[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, value: of }) => [
      varint((BigInt(number) << 3n) | BigInt(wireTypes[of.wire])),
      encoded(of),
    ]),
  );
}

function readValue(field: WireField): unknown {
  switch (field.wire) {
    case wireTypes.varint:
      return field.varint;
    case wireTypes.bytes:
      return textOf(field);
    default:
      return floatOf(field);
  }
}

describe('a protobuf message', () => {
  test('gives the fields that were written, in their order', () => {
    fc.assert(
      fc.property(message, (fields) => {
        const read: unknown[] = [];
        expect(eachField(fieldBytes(fields), (field) => read.push([field.number, readValue(field)]))).toBe(
          true,
        );
        expect(read).toEqual(
          fields.map(({ number, value: of }) => [number, Number.isNaN(of.value) ? NaN : expected(of)]),
        );
      }),
    );
  });

  test('that is cut or is something else is no message, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(typeof eachField(Buffer.from(bytes), () => {})).toBe('boolean');
      }),
    );
    fc.assert(
      fc.property(message, fc.nat(), (fields, at) => {
        const bytes = fieldBytes(fields);
        const starts = new Set(fields.map((_, index) => fieldBytes(fields.slice(0, index)).length));
        const cut = at % (bytes.length + 1);
        const isWhole = starts.has(cut) || cut === bytes.length;
        expect(eachField(bytes.subarray(0, cut), () => {})).toBe(isWhole);
      }),
    );
  });
});

/** Beyond 2^53 a number is rounded. */
function expected({ wire, value: of }: Value): unknown {
  return wire === 'varint' ? Number(of) : of;
}
