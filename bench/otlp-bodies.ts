import { sampleData } from './sample-events.ts';

/** Makes bodies of OTLP logs, as an SDK exports them: the recordings' events with their `data` as attributes. */
export interface OtlpBodies {
  /** Returns a body that differs from all before it by the times of its records. */
  next(): Buffer;
}

const NANOS_PER_BODY = 1_000_000n;
const FIRST_NANOS = 1_767_484_800_000_000_000n;

/** One body is encoded once, and then only its times are written anew, so that the load costs little. */
export function otlpBodiesOf(run: number, eventsPerBody: number): OtlpBodies {
  const records = Array.from({ length: eventsPerBody }, (_, at) => recordOf(sampleData(at)));
  const scopeLogs = field(2, Buffer.concat(records.map((record) => field(2, record))));
  const resource = field(1, attribute(1, 'runlog.run', `run-${run}`));
  const template = field(1, Buffer.concat([resource, scopeLogs]));
  let behind = 0;
  const times = records.map((record) => {
    const start = template.indexOf(record, behind);
    behind = start + record.length;
    return start + 1;
  });
  let nanos = FIRST_NANOS + BigInt(run) * 1_000_000_000_000_000n;
  return {
    next() {
      const body = Buffer.from(template);
      for (const [index, time] of times.entries()) body.writeBigUInt64LE(nanos + BigInt(index * 1_000), time);
      nanos += NANOS_PER_BODY;
      return body;
    },
  };
}

/** The time comes first, so that its place is known. */
function recordOf({ type, message, data }: ReturnType<typeof sampleData>): Buffer {
  const time = Buffer.alloc(9);
  time[0] = (1 << 3) | 1;
  return Buffer.concat([
    time,
    Buffer.from([(2 << 3) | 0, 9]),
    field(5, field(1, Buffer.from(message))),
    ...Object.entries(data).map(([name, value]) => attribute(6, name, value)),
    field(12, Buffer.from(type)),
  ]);
}

function attribute(number: number, name: string, value: unknown): Buffer {
  return field(number, Buffer.concat([field(1, Buffer.from(name)), field(2, anyValue(value))]));
}

function anyValue(value: unknown): Buffer {
  if (typeof value === 'boolean') return Buffer.from([(2 << 3) | 0, value ? 1 : 0]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes[0] = (4 << 3) | 1;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  if (Array.isArray(value)) return field(5, Buffer.concat(value.map((each) => field(1, anyValue(each)))));
  return field(1, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
}

/** A field of the wire type "length". */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
