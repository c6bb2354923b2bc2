import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { eventHeaders } from './event-record.ts';

/** Header of the control records among the events of a run: they are about the run and are none of its events. */
export const CONTROL_HEADER = 'control';

const controlSchema = z.object({
  control: z.literal('RUN_RETIRED'),
  reason: z.enum(['deleted', 'retention']),
  /** Retires the run only while its position is at or below this offset: an event that came between keeps it. */
  through: z.int().min(0).nullable(),
});

/** Value of a control record. */
export type Control = z.infer<typeof controlSchema>;

/** The record that retires a run; every reader folds it to "absent". */
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

/** What kind of control record it is, unjudged; `null`: it is an event. */
export function controlOf(record: Pick<LogRecord, 'headers'>): string | null {
  return record.headers[CONTROL_HEADER] ?? null;
}

/** `null`: not the value of a control record that this build knows. */
export function decodeControl(value: unknown): Control | null {
  return controlSchema.safeParse(value).data ?? null;
}
