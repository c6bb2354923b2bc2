import { acceptBatch } from '@runlog/ingest/accept-batch';
import { quoteNonFinite } from '@runlog/ingest/split-body';
import type { EventFaultCode, RecordingFaultCode } from '@runlog/schema/faults';
import { parseJson } from '@runlog/topic-io/parse-json';

export interface LineFault {
  readonly code: EventFaultCode | RecordingFaultCode;
  readonly path: string;
  readonly message: string;
}

/**
 * Judges one line by ingest's own code, and returns null if ingest would accept it. A line that is numbered here and
 * rejected there would leave a gap in the numbers, and the run would miss an event for ever.
 */
export function judgeLine(line: Buffer): LineFault | null {
  const judgement = acceptBatch(line, { format: 'ndjson', clusterId: 'local', receivedAtMs: 0 });
  if (judgement.kind === 'refused') throw new Error(`one line was refused as a body: ${judgement.message}`);
  const [rejected] = judgement.rejected;
  if (rejected === undefined) return null;
  const { code, path, message } = rejected.error;
  return { code, path, message };
}

/** Parses the object on a line, reading bare NaN as ingest does. Returns null if there is no object. */
export function readObject(line: Buffer): Record<string, unknown> | null {
  const value = parseJson(line.toString('utf8')) ?? parseJson(quoteNonFinite(line)?.toString('utf8') ?? '');
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
