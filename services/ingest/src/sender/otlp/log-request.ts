import type { EventFaultCode } from '@runlog/schema/faults';
import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import { messageOf } from '@runlog/topic-io/error-message';

/** Attributes in their order. Values are JSON: bytes are base64 text, integers that a double cannot hold are text. */
export type Attributes = readonly (readonly [name: string, value: unknown])[];

/** What many log records share. */
export interface LogContext {
  readonly resource: Attributes;
  readonly scope: { readonly name: string; readonly version: string; readonly attributes: Attributes } | null;
}

/** One log record of OpenTelemetry, whichever way it was encoded. Text that is not there is empty. */
export interface LogRecord {
  readonly timeNanoseconds: bigint;
  readonly observedNanoseconds: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  /** Is undefined if there is none. */
  readonly body: unknown;
  readonly attributes: Attributes;
  /** In hex, as is `spanId`. */
  readonly traceId: string;
  readonly spanId: string;
  readonly eventName: string;
}

/** One log record of a request, which is decoded when its turn comes. */
export interface PlacedRecord {
  readonly context: LogContext;
  read(): LogRecord | RecordFault;
  /** What can be kept of a record that is no event. */
  raw(): Buffer;
}

export interface RecordFault {
  readonly code: EventFaultCode;
  readonly message: string;
}

export type LogRequest =
  | { readonly kind: 'records'; readonly records: readonly PlacedRecord[] }
  | { readonly kind: 'too_many' }
  | { readonly kind: 'broken'; readonly message: string };

/** A value is nested deeper than an event may be. */
export class TooDeepError extends Error {
  constructor() {
    super('the values of the log record are nested too deep');
    this.name = 'TooDeepError';
  }
}

/** Deep enough for any event (EVENT_DEPTH_MAX), which has its values in `data`. */
export const VALUE_DEPTH_MAX = 56;

export function recordFaultOf(error: unknown): RecordFault {
  if (error instanceof TooDeepError) return { code: 'too_deep', message: error.message };
  return { code: 'schema', message: `the log record cannot be read: ${messageOf(error)}` };
}

/**
 * Each record is stored with its resource and its scope. What this adds to one body at most: a small one could otherwise become
 * gigabytes.
 */
const SHARED_BYTES_SUM_MAX = 128 * 1024 * 1024;

const SHARED_TOO_OFTEN: RecordFault = {
  code: 'event_too_large',
  message: `each log record is stored with its resource and scope, and for the records of one body these may take ${SHARED_BYTES_SUM_MAX} bytes; send fewer records in a body, or a smaller resource`,
};

/** What all records of a context share is larger than an event may be. */
const SHARED_TOO_LARGE: RecordFault = {
  code: 'event_too_large',
  message: `a log record may have at most ${EVENT_BYTES_MAX} bytes, and its resource and scope have more`,
};

/** Judges what a record shares with others: its bytes, and the sum up to it of those of all records of the body. */
export function sharedFaultOf(bytes: number, bytesSum: number): RecordFault | null {
  if (bytes > EVENT_BYTES_MAX) return SHARED_TOO_LARGE;
  return bytesSum > SHARED_BYTES_SUM_MAX ? SHARED_TOO_OFTEN : null;
}
