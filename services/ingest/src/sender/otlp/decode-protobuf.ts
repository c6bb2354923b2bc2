import { EVENT_BYTES_MAX, REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { messageOf } from '@runlog/topic-io/error-message';
import { setMember } from '../made-event.ts';
import {
  type Attributes,
  type LogContext,
  type LogRecord,
  type LogRequest,
  type PlacedRecord,
  type RecordFault,
  recordFaultOf,
  sharedFaultOf,
  TooDeepError,
  VALUE_DEPTH_MAX,
} from './log-request.ts';
import { ProtobufReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from './protobuf-reader.ts';

type Pair = readonly [string, unknown];

/**
 * Finds the log records of an ExportLogsServiceRequest and decodes what they share. The numbers of fields are those of
 * opentelemetry/proto/logs/v1/logs.proto and common/v1/common.proto. Each record is decoded by itself, so one that is broken
 * is refused alone; a body whose frame is broken has no records.
 */
export function decodeProtobuf(body: Buffer, recordsMax: number): LogRequest {
  const found: Found = { body, recordsMax, records: [], sharedBytesSum: 0 };
  try {
    const request = new ProtobufReader(body);
    while (request.next()) {
      if (request.field === 1 && request.wire === WIRE_BYTES) readResourceLogs(request.message(), found);
      else request.skip();
      if (found.records.length > recordsMax) return { kind: 'too_many' };
    }
  } catch (error) {
    return { kind: 'broken', message: `the body is no ExportLogsServiceRequest: ${messageOf(error)}` };
  }
  return { kind: 'records', records: found.records };
}

/** What is found in a body. The search ends at one record more than there may be. */
interface Found {
  readonly body: Buffer;
  readonly recordsMax: number;
  readonly records: PlacedRecord[];
  /** What the records so far share, as often as it is stored. */
  sharedBytesSum: number;
}

/** The fields of a message may come in any order, so it is read twice: for what its records share, then for them. */
function readResourceLogs(reader: ProtobufReader, found: Found): void {
  const again = reader.again();
  const resource: Pair[] = [];
  let bytes = 0;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE_BYTES) {
      const message = reader.message();
      bytes += message.bytesLeft;
      if (bytes <= EVENT_BYTES_MAX) readAttributes(message, resource, 1);
    } else reader.skip();
  }
  while (again.next()) {
    if (again.field === 2 && again.wire === WIRE_BYTES)
      readScopeLogs(again.message(), { resource, bytes }, found);
    else again.skip();
    if (found.records.length > found.recordsMax) return;
  }
}

function readScopeLogs(
  reader: ProtobufReader,
  above: { resource: Attributes; bytes: number },
  found: Found,
): void {
  const again = reader.again();
  let scope: LogContext['scope'] = null;
  let { bytes } = above;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE_BYTES) {
      const message = reader.message();
      bytes += message.bytesLeft;
      if (bytes <= EVENT_BYTES_MAX) scope = readScope(message, scope);
    } else reader.skip();
  }
  const context: LogContext = { resource: above.resource, scope };
  while (again.next()) {
    if (again.field === 2 && again.wire === WIRE_BYTES) {
      const start = again.bytesStart();
      found.sharedBytesSum += bytes;
      found.records.push(new ProtobufRecord(found, { context, sharedBytes: bytes, start, end: again.at }));
    } else again.skip();
    if (found.records.length > found.recordsMax) return;
  }
}

/** A record between two places of a body. */
class ProtobufRecord implements PlacedRecord {
  readonly #body: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #sharedFault: RecordFault | null;
  readonly context: LogContext;

  constructor(found: Found, at: { context: LogContext; sharedBytes: number; start: number; end: number }) {
    this.#body = found.body;
    this.#start = at.start;
    this.#end = at.end;
    this.#sharedFault = sharedFaultOf(at.sharedBytes, found.sharedBytesSum);
    this.context = at.context;
  }

  read(): LogRecord | RecordFault {
    const bytes = this.#end - this.#start;
    if (this.#sharedFault !== null) return this.#sharedFault;
    if (bytes > EVENT_BYTES_MAX) return tooLarge(bytes);
    try {
      return readRecord(new ProtobufReader(this.#body, this.#start, this.#end));
    } catch (error) {
      return recordFaultOf(error);
    }
  }

  /** The topic of rejected events holds text. */
  raw(): Buffer {
    const end = Math.min(this.#end, this.#start + RAW_BYTES_MAX);
    return Buffer.from(this.#body.toString('base64', this.#start, end));
  }
}

/** As much as is kept of a rejected record, before it becomes base64. */
const RAW_BYTES_MAX = (REJECTED_BYTES_MAX / 4) * 3;

function tooLarge(bytes: number): RecordFault {
  const message = `a log record may have at most ${EVENT_BYTES_MAX} bytes, this one has ${bytes}`;
  return { code: 'event_too_large', message };
}

function readScope(reader: ProtobufReader, before: LogContext['scope']): LogContext['scope'] {
  let name = before?.name ?? '';
  let version = before?.version ?? '';
  const attributes: Pair[] = [...(before?.attributes ?? [])];
  while (reader.next()) {
    if (reader.wire !== WIRE_BYTES) reader.skip();
    else if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) version = reader.text();
    else if (reader.field === 3) readPairInto(reader, 1, attributes);
    else reader.skip();
  }
  return { name, version, attributes };
}

function readRecord(reader: ProtobufReader): LogRecord {
  let timeNanoseconds = 0n;
  let observedNanoseconds = 0n;
  let severityNumber = 0;
  let severityText = '';
  let body: unknown;
  const attributes: Pair[] = [];
  let traceId = '';
  let spanId = '';
  let eventName = '';
  while (reader.next()) {
    switch (reader.field * 8 + reader.wire) {
      case 1 * 8 + WIRE_FIXED64:
        timeNanoseconds = reader.fixed64();
        break;
      case 2 * 8 + WIRE_VARINT:
        severityNumber = reader.int32();
        break;
      case 3 * 8 + WIRE_BYTES:
        severityText = reader.text();
        break;
      case 5 * 8 + WIRE_BYTES:
        body = readValue(reader, 0);
        break;
      case 6 * 8 + WIRE_BYTES:
        readPairInto(reader, 0, attributes);
        break;
      case 9 * 8 + WIRE_BYTES:
        traceId = reader.hex();
        break;
      case 10 * 8 + WIRE_BYTES:
        spanId = reader.hex();
        break;
      case 11 * 8 + WIRE_FIXED64:
        observedNanoseconds = reader.fixed64();
        break;
      case 12 * 8 + WIRE_BYTES:
        eventName = reader.text();
        break;
      default:
        reader.skip();
    }
  }
  // Spread objects would cost a tenth of the whole.
  return {
    timeNanoseconds,
    observedNanoseconds,
    severityNumber,
    severityText,
    body,
    attributes,
    traceId,
    spanId,
    eventName,
  };
}

function readAttributes(reader: ProtobufReader, into: Pair[], depth: number): void {
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE_BYTES) readPairInto(reader, depth, into);
    else reader.skip();
  }
}

/** Reads the attribute that the reader came to, and adds no pair for one without a name. */
function readPairInto(reader: ProtobufReader, depth: number, into: Pair[]): void {
  const outer = reader.enter();
  let name = '';
  let value: unknown = null;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE_BYTES) name = reader.text();
    else if (reader.field === 2 && reader.wire === WIRE_BYTES) value = readValue(reader, depth) ?? null;
    else reader.skip();
  }
  reader.leave(outer);
  if (name !== '') into.push([name, value]);
}

/** Reads the value that the reader came to. Returns undefined for one that is not set. */
function readValue(reader: ProtobufReader, depth: number): unknown {
  if (depth > VALUE_DEPTH_MAX) throw new TooDeepError();
  const outer = reader.enter();
  let value: unknown;
  while (reader.next()) {
    switch (reader.field * 8 + reader.wire) {
      case 1 * 8 + WIRE_BYTES:
        value = reader.text();
        break;
      case 2 * 8 + WIRE_VARINT:
        value = reader.bool();
        break;
      case 3 * 8 + WIRE_VARINT:
        value = reader.int64();
        break;
      case 4 * 8 + WIRE_FIXED64:
        value = jsonNumber(reader.double());
        break;
      case 5 * 8 + WIRE_BYTES:
        value = readList(reader, depth + 1);
        break;
      case 6 * 8 + WIRE_BYTES:
        value = readMap(reader, depth + 1);
        break;
      case 7 * 8 + WIRE_BYTES:
        value = reader.base64();
        break;
      default:
        reader.skip();
    }
  }
  reader.leave(outer);
  return value;
}

function readList(reader: ProtobufReader, depth: number): unknown[] {
  const values: unknown[] = [];
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE_BYTES) values.push(readValue(reader, depth) ?? null);
    else reader.skip();
  }
  reader.leave(outer);
  return values;
}

function readMap(reader: ProtobufReader, depth: number): Record<string, unknown> {
  const pairs: Pair[] = [];
  const outer = reader.enter();
  readAttributes(reader, pairs, depth);
  reader.leave(outer);
  const map: Record<string, unknown> = {};
  for (const [name, value] of pairs) setMember(map, name, value);
  return map;
}

/** JSON has no NaN and no infinity; proto3's JSON writes them as these texts. */
export function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
