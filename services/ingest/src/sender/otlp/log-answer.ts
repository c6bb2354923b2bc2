import { type HttpFaultCode, httpFaults } from '@runlog/schema/faults';
import type { LogsFormat } from '../sender-request.ts';

/** The codes of gRPC that OTLP's faults carry, by HTTP status. */
const grpcCodes: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  405: 12,
  408: 4,
  413: 11,
  415: 3,
  421: 9,
  422: 3,
  429: 8,
  431: 11,
  500: 13,
  503: 14,
};
const UNKNOWN = 2;

export const contentTypes: Readonly<Record<LogsFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** Encodes an ExportLogsServiceResponse. `rejected` counts what was refused for good; nothing of it may be sent again. */
export function exportResponse(format: LogsFormat, rejected: { count: number; message: string }): Buffer {
  const { count, message } = rejected;
  if (format === 'json') {
    if (count === 0) return Buffer.from('{}');
    const partialSuccess = { rejectedLogRecords: String(count), errorMessage: message };
    return Buffer.from(JSON.stringify({ partialSuccess }));
  }
  if (count === 0) return Buffer.alloc(0);
  return bytesField(1, Buffer.concat([varintField(1, count), bytesField(2, Buffer.from(message))]));
}

/** Encodes a google.rpc.Status. */
export function statusOf(format: LogsFormat, fault: { code: HttpFaultCode; message: string }): Buffer {
  const code = grpcCodes[httpFaults[fault.code].status] ?? UNKNOWN;
  const message = `${fault.code}: ${fault.message}`;
  if (format === 'json') return Buffer.from(JSON.stringify({ code, message }));
  return Buffer.concat([varintField(1, code), bytesField(2, Buffer.from(message))]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.from([field * 8, ...varint(value)]);
}

function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([field * 8 + 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}
