import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import type { ControlRecord } from '@runlog/schema/log/log-records';
import { eventHeaders } from '@runlog/schema/log/topics';
import type { RunHead } from '@runlog/schema/run/snapshot';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';

/** The runs that one sweep of one partition retires; the rest goes with the next sweep. */
const RETIRED_PER_SWEEP_MAX = 1_000;

/** Runs that have been silent for longer than the retention. */
export function silentRuns(
  states: Pick<ReadonlyRunStates, 'heads'>,
  at: { nowMs: number; retentionMs: number },
): RunHead[] {
  const before = new Date(at.nowMs - at.retentionMs).toISOString();
  const silent: RunHead[] = [];
  for (const [, state] of states.heads()) {
    // Canonical ISO text compares as time does.
    if (state.last_received_at < before) silent.push(state);
    if (silent.length >= RETIRED_PER_SWEEP_MAX) break;
  }
  return silent;
}

/** The control record that retires a run; every reader folds it to "absent". */
export function retirement(options: {
  key: string;
  reason: ControlRecord['reason'];
  through: number | null;
  nowMs: number;
}): RecordToAppend {
  const { key, reason, through, nowMs } = options;
  const control: ControlRecord = { control: 'RUN_RETIRED', reason, through };
  return {
    key,
    value: Buffer.from(JSON.stringify(control)),
    headers: {
      [eventHeaders.control]: control.control,
      [eventHeaders.receivedAt]: new Date(nowMs).toISOString(),
    },
    timestampMs: nowMs,
  };
}
