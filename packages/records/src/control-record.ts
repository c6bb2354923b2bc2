import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { eventHeaders } from './event-record.ts';

/**
 * The header that marks control records among the events of a run. They are about the run, but are not events of it.
 */
export const CONTROL_HEADER = 'control';

const controlSchema = z.object({
  control: z.literal('RUN_RETIRED'),
  reason: z.enum(['deleted', 'retention']),
  /** The run is retired only if its position is at or below this offset. An event that came in between keeps it. */
  through: z.int().min(0).nullable(),
});

/** The value of a control record. */
export type Control = z.infer<typeof controlSchema>;

/** Makes the record that retires a run. Every reader folds it to "absent". */
export function encodeRetirement(options: {
  key: string;
  reason: Control['reason'];
  through: number | null;
  nowMs: number;
}): RecordToAppend {
  const { key, reason, through, nowMs } = options;
  const control: Control = { control: 'RUN_RETIRED', reason, through };
  return {
    key,
    value: Buffer.from(JSON.stringify(control)),
    headers: {
      [CONTROL_HEADER]: control.control,
      [eventHeaders.receivedAt]: new Date(nowMs).toISOString(),
    },
    timestampMs: nowMs,
  };
}

/** Returns the kind of a control record without validating it, or null if the record is an event. */
export function controlOf(record: Pick<LogRecord, 'headers'>): string | null {
  return record.headers[CONTROL_HEADER] ?? null;
}

/** Returns null if it is not the value of a control record that this build knows. */
export function decodeControl(value: unknown): Control | null {
  return controlSchema.safeParse(value).data ?? null;
}
