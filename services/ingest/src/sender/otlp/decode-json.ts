import { isUtf8 } from 'node:buffer';
import { REJECTED_BYTES_MAX } from '@runlog/schema/limits';
import { messageOf } from '@runlog/topic-io/error-message';
import { setMember } from '../made-event.ts';
import { jsonNumber } from './decode-protobuf.ts';
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

type JsonObject = Readonly<Record<string, unknown>>;
type Pair = readonly [string, unknown];

/**
 * Finds the log records of an ExportLogsServiceRequest in OTLP's JSON: ids in hex, int64 as text or number, names in
 * lowerCamelCase or as in the protobuf. Unknown fields are ignored, and a record with a field of another type is refused
 * alone.
 */
export function decodeJson(body: Buffer, recordsMax: number): LogRequest {
  if (!isUtf8(body)) return { kind: 'broken', message: 'the body is not UTF-8' };
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch (error) {
    return { kind: 'broken', message: `the body is not JSON: ${messageOf(error).slice(0, 200)}` };
  }
  if (!isObject(request)) return { kind: 'broken', message: 'the body is no JSON object' };
  const names = Object.keys(request);
  if (names.length > 0 && !names.includes('resourceLogs') && !names.includes('resource_logs')) {
    // Unknown fields are ignored, but nothing of this body would be stored.
    return { kind: 'broken', message: 'the body is no ExportLogsServiceRequest: it has no resourceLogs' };
  }
  try {
    return recordsOf(request, recordsMax);
  } catch (error) {
    return { kind: 'broken', message: `the body is no ExportLogsServiceRequest: ${messageOf(error)}` };
  }
}

function recordsOf(request: JsonObject, recordsMax: number): LogRequest {
  const records: PlacedRecord[] = [];
  let sharedBytesSum = 0;
  for (const resourceLogs of listAt(request, 'resourceLogs', 'resource_logs')) {
    const resource = sharedAttributesOf(objectAt(asObject(resourceLogs), 'resource'));
    for (const scopeLogs of listAt(asObject(resourceLogs), 'scopeLogs', 'scope_logs')) {
      const context: LogContext = { resource, scope: scopeOf(objectAt(asObject(scopeLogs), 'scope')) };
      const sharedBytes = rawText(context).length;
      for (const record of listAt(asObject(scopeLogs), 'logRecords', 'log_records')) {
        if (records.length === recordsMax) return { kind: 'too_many' };
        sharedBytesSum += sharedBytes;
        records.push(placed(record, context, sharedFaultOf(sharedBytes, sharedBytesSum)));
      }
    }
  }
  return { kind: 'records', records };
}

function placed(record: unknown, context: LogContext, sharedFault: RecordFault | null): PlacedRecord {
  return {
    context,
    read: () => {
      if (sharedFault !== null) return sharedFault;
      try {
        return recordOf(asObject(record));
      } catch (error) {
        return recordFaultOf(error);
      }
    },
    raw: () => Buffer.from(rawText(record).slice(0, REJECTED_BYTES_MAX)),
  };
}

/** JSON that nests deeper than the stack is taken by `parse` and not by `stringify`. */
function rawText(record: unknown): string {
  try {
    return JSON.stringify(record);
  } catch {
    return '';
  }
}

function scopeOf(scope: JsonObject): LogContext['scope'] {
  const name = textAt(scope, 'name');
  const version = textAt(scope, 'version');
  const attributes = sharedAttributesOf(scope);
  return name === '' && version === '' && attributes.length === 0 ? null : { name, version, attributes };
}

function recordOf(record: JsonObject): LogRecord {
  return {
    timeNanoseconds: nanosecondsOf(record.timeUnixNano ?? record.time_unix_nano, 'timeUnixNano'),
    observedNanoseconds: nanosecondsOf(
      record.observedTimeUnixNano ?? record.observed_time_unix_nano,
      'observedTimeUnixNano',
    ),
    severityNumber: severityNumberOf(record.severityNumber ?? record.severity_number),
    severityText: textAt(record, 'severityText', 'severity_text'),
    body: record.body == null ? undefined : anyValueOf(record.body, 0),
    attributes: attributesOf(record, 0),
    traceId: idAt(record, 'traceId', 'trace_id'),
    spanId: idAt(record, 'spanId', 'span_id'),
    eventName: textAt(record, 'eventName', 'event_name'),
  };
}

function nanosecondsOf(value: unknown, name: string): bigint {
  if (value == null || value === '') return 0n;
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt.asUintN(64, BigInt(value));
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 64)
    return BigInt(value);
  throw new Error(`${name} must be a number of nanoseconds`);
}

const severityNames = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

function severityNumberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return 0;
  const [, name, step = '1'] = /^(?:SEVERITY_NUMBER_)?([A-Z]+?)([2-4])?$/.exec(value) ?? [];
  const at = severityNames.indexOf(name ?? '');
  if (at >= 0) return at * 4 + Number(step);
  return /^\d+$/.test(value) ? Number(value) : 0;
}

/** Accepts the hex that OTLP asks for, and keeps any other text as it is. */
function idAt(record: JsonObject, ...names: readonly string[]): string {
  const id = textAt(record, ...names);
  return /^[0-9A-Fa-f]+$/.test(id) ? id.toLowerCase() : id;
}

function attributesOf(holder: JsonObject, depth: number): Attributes {
  return listAt(holder, 'attributes').flatMap((attribute): Pair[] => pairOf(asObject(attribute), depth));
}

/** What belongs to many records must not cost them: a value that cannot be read is null. */
function sharedAttributesOf(holder: JsonObject): Attributes {
  return listAt(holder, 'attributes').flatMap((attribute): Pair[] => {
    if (!isObject(attribute) || typeof attribute.key !== 'string') return [];
    try {
      return pairOf(attribute, 1);
    } catch {
      return [[attribute.key, null]];
    }
  });
}

function pairOf(attribute: JsonObject, depth: number): Pair[] {
  const name = textAt(attribute, 'key');
  const { value } = attribute;
  return name === '' ? [] : [[name, value == null ? null : (anyValueOf(value, depth) ?? null)]];
}

/** Returns undefined for a value that is not set. */
function anyValueOf(sent: unknown, depth: number): unknown {
  if (depth > VALUE_DEPTH_MAX) throw new TooDeepError();
  const value = asObject(sent);
  for (const [name, held] of Object.entries(value)) {
    if (held === null) continue;
    switch (name) {
      case 'stringValue':
      case 'string_value':
        return text(held, name);
      case 'boolValue':
      case 'bool_value':
        if (typeof held !== 'boolean') throw new Error(`${name} must be true or false`);
        return held;
      case 'intValue':
      case 'int_value':
        return integerOf(held);
      case 'doubleValue':
      case 'double_value':
        return doubleOf(held);
      case 'bytesValue':
      case 'bytes_value':
        return text(held, name);
      case 'arrayValue':
      case 'array_value':
        return listAt(asObject(held), 'values').map((one) =>
          one == null ? null : (anyValueOf(one, depth + 1) ?? null),
        );
      case 'kvlistValue':
      case 'kvlist_value': {
        const map: Record<string, unknown> = {};
        for (const one of listAt(asObject(held), 'values')) {
          for (const [key, inner] of pairOf(asObject(one), depth + 1)) setMember(map, key, inner);
        }
        return map;
      }
      default:
    }
  }
  return undefined;
}

function integerOf(held: unknown): number | string {
  if (typeof held === 'number' && Number.isInteger(held)) return held;
  if (typeof held !== 'string' || !/^[+-]?\d{1,20}$/.test(held))
    throw new Error('intValue must be an integer');
  const number = Number(held);
  return Number.isSafeInteger(number) ? number + 0 : held;
}

function doubleOf(held: unknown): number | string {
  if (typeof held === 'number') return jsonNumber(held);
  const number = typeof held === 'string' && held.trim() !== '' ? Number(held) : Number.NaN;
  if (Number.isNaN(number) && held !== 'NaN') throw new Error('doubleValue must be a number');
  return jsonNumber(number);
}

function listAt(holder: JsonObject, ...names: readonly string[]): readonly unknown[] {
  for (const name of names) {
    const list = holder[name];
    if (list == null) continue;
    if (!Array.isArray(list)) throw new Error(`${name} must be an array`);
    return list;
  }
  return [];
}

function objectAt(holder: JsonObject, name: string): JsonObject {
  return holder[name] == null ? {} : asObject(holder[name]);
}

function textAt(holder: JsonObject, ...names: readonly string[]): string {
  for (const name of names) if (holder[name] != null) return text(holder[name], name);
  return '';
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new Error(`${name} must be text`);
  return value;
}

function asObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error('an object is expected');
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
