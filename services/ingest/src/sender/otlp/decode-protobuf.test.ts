import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeJson } from './decode-json.ts';
import { decodeProtobuf } from './decode-protobuf.ts';
import { eventOfLog } from './event-of-log.ts';
import type { LogRequest } from './log-request.ts';

/** Encodes OTLP's JSON in protobuf, so that both decoders can be held against each other. */
function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

const tag = (field: number, wire: number) => varint(BigInt(field * 8 + wire));
const bytes = (field: number, content: Buffer | string) =>
  Buffer.concat([tag(field, 2), varint(BigInt(Buffer.byteLength(content))), Buffer.from(content)]);
const number = (field: number, value: bigint) => Buffer.concat([tag(field, 0), varint(value)]);
function fixed64(field: number, value: bigint): Buffer {
  const content = Buffer.alloc(8);
  content.writeBigUInt64LE(value);
  return Buffer.concat([tag(field, 1), content]);
}
function double(field: number, value: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), content]);
}

type Json = Record<string, unknown>;

function anyValue(value: Json): Buffer {
  const [name, held] = Object.entries(value)[0]!;
  switch (name) {
    case 'stringValue':
      return bytes(1, held as string);
    case 'boolValue':
      return number(2, held === true ? 1n : 0n);
    case 'intValue':
      return number(3, BigInt(held as string));
    case 'doubleValue':
      return double(4, Number(held));
    case 'arrayValue':
      return bytes(
        5,
        Buffer.concat((held as { values: Json[] }).values.map((one) => bytes(1, anyValue(one)))),
      );
    case 'kvlistValue':
      return bytes(
        6,
        Buffer.concat((held as { values: Json[] }).values.map((one) => bytes(1, keyValue(one)))),
      );
    default:
      return bytes(7, Buffer.from(held as string, 'base64'));
  }
}

const keyValue = ({ key, value }: Json) =>
  Buffer.concat([bytes(1, key as string), bytes(2, anyValue(value as Json))]);

function logRecord(record: Json): Buffer {
  return Buffer.concat([
    fixed64(1, BigInt(record.timeUnixNano as string)),
    number(2, BigInt(record.severityNumber as number)),
    bytes(3, record.severityText as string),
    bytes(5, anyValue(record.body as Json)),
    ...(record.attributes as Json[]).map((one) => bytes(6, keyValue(one))),
    // A field that nobody knows.
    bytes(99, 'unknown'),
    bytes(9, Buffer.from(record.traceId as string, 'hex')),
    fixed64(11, BigInt(record.observedTimeUnixNano as string)),
    bytes(12, record.eventName as string),
  ]);
}

function protobufOf(request: Json): Buffer {
  return Buffer.concat(
    (request.resourceLogs as Json[]).map(({ resource, scopeLogs }) =>
      bytes(
        1,
        Buffer.concat([
          // The resource may come behind what it belongs to.
          ...(scopeLogs as Json[]).map(({ scope, logRecords }) =>
            bytes(
              2,
              Buffer.concat([
                ...(logRecords as Json[]).map((one) => bytes(2, logRecord(one))),
                bytes(1, bytes(1, (scope as Json).name as string)),
              ]),
            ),
          ),
          bytes(
            1,
            Buffer.concat(((resource as Json).attributes as Json[]).map((one) => bytes(1, keyValue(one)))),
          ),
        ]),
      ),
    ),
  );
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const name = fc.oneof(
  fc.constantFrom('run', 'run_id', 'event_type', 'loss', '__proto__', 'body'),
  fc.string({ minLength: 1, maxLength: 8 }),
);
const { value } = fc.letrec<{ value: Json; pair: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text.map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((held) => ({ intValue: String(held) })),
    fc.double().map((held) => ({ doubleValue: Number.isFinite(held) ? held : String(held) })),
    fc.uint8Array({ maxLength: 8 }).map((held) => ({ bytesValue: Buffer.from(held).toString('base64') })),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc.array(tie('pair'), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
  ),
  pair: fc.record({ key: name, value: tie('value') }),
}));
const attributes = fc.array(fc.record({ key: name, value }), { maxLength: 4 });
const nanoseconds = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String);
const record = fc.record({
  ...{ timeUnixNano: nanoseconds, observedTimeUnixNano: nanoseconds, attributes, body: value },
  ...{ severityNumber: fc.integer({ min: 0, max: 24 }), severityText: text, eventName: text },
  traceId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((held) => Buffer.from(held).toString('hex')),
});
const request = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeLogs: fc.array(
        fc.record({ scope: fc.record({ name: text }), logRecords: fc.array(record, { maxLength: 3 }) }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
});

function eventsOf(decoded: LogRequest): unknown[] {
  if (decoded.kind !== 'records') throw new Error(decoded.kind);
  return decoded.records.map((placed) => {
    const one = placed.read();
    return 'code' in one ? one : JSON.stringify(eventOfLog(one, placed.context, { runId: 'default' }).fields);
  });
}

describe('both encodings of OTLP', () => {
  it('make the same events of the same request', () => {
    fc.assert(
      fc.property(request, (sent) => {
        expect(eventsOf(decodeProtobuf(protobufOf(sent), 100))).toEqual(
          eventsOf(decodeJson(Buffer.from(JSON.stringify(sent)), 100)),
        );
      }),
    );
  });

  it('never throw, whatever was damaged on the way', () => {
    fc.assert(
      fc.property(
        request,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
        fc.nat(),
        (sent, hits, cut) => {
          for (const [body, decode] of [
            [protobufOf(sent), decodeProtobuf],
            [Buffer.from(JSON.stringify(sent)), decodeJson],
          ] as const) {
            for (const [at, byte] of hits) if (body.length > 0) body[at % body.length] = byte;
            const decoded = decode(
              body.subarray(0, cut % 3 === 0 ? cut % (body.length + 1) : body.length),
              100,
            );
            if (decoded.kind === 'records') {
              for (const each of decoded.records) each.raw();
              eventsOf(decoded);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([1, 2])('count no more records than there may be, however small they are (%i)', (recordsMax) => {
    const empty = Buffer.alloc(2_000_000, Buffer.from([0x12, 0]));
    expect(decodeProtobuf(bytes(1, bytes(2, empty)), recordsMax).kind).toBe('too_many');
    expect(decodeProtobuf(bytes(1, Buffer.concat([bytes(2, ''), bytes(2, empty)])), recordsMax).kind).toBe(
      'too_many',
    );
  });

  it('store what records share with each of them, and in one body no more often than to 128 MiB', () => {
    const resource = { attributes: [{ key: 'notes', value: { stringValue: 'x'.repeat(256_000) } }] };
    const logRecords = Array.from({ length: 1_000 }, () => ({}));
    const sent = { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] };
    const shared = bytes(1, bytes(1, keyValue(resource.attributes[0]!)));
    const body = bytes(
      1,
      Buffer.concat([shared, bytes(2, Buffer.concat(logRecords.map(() => bytes(2, ''))))]),
    );
    for (const decoded of [
      decodeProtobuf(body, 1_000),
      decodeJson(Buffer.from(JSON.stringify(sent)), 1_000),
    ]) {
      if (decoded.kind !== 'records') throw new Error(decoded.kind);
      const read = decoded.records.map((placed) => placed.read());
      const faulty = read.filter((one) => 'code' in one);
      expect(faulty).toHaveLength(1_000 - 524);
      expect(read.at(-1)).toMatchObject({
        code: 'event_too_large',
        message: expect.stringContaining('134217728'),
      });
      expect(read[523]).not.toHaveProperty('code');
    }
  });

  it('refuse values that are nested too deep, each by itself', () => {
    let body = bytes(1, 'deep');
    for (let depth = 0; depth < 10_000; depth += 1) body = bytes(5, bytes(1, body));
    const deep = bytes(5, body);
    const decoded = decodeProtobuf(bytes(1, bytes(2, Buffer.concat([bytes(2, deep), bytes(2, '')]))), 10);
    expect(eventsOf(decoded)).toMatchObject([{ code: 'too_deep' }, expect.any(String)]);
  });
});
