import type { TelemetryEvent } from '@runlog/schema/events/event';
import { instantOf } from '@runlog/schema/events/instant';
import { MESSAGE_BYTES_MAX } from '@runlog/schema/limits';
import { cutText } from '@runlog/schema/run/cut-text';
import type { RunEnd, RunSnapshot, RunStatus } from '@runlog/schema/run/snapshot';

/** Ranks that end later than the run, and spools that are drained later, leave an ended run ended for so long. */
const REVIVED_AFTER_MS = 60_000;

/**
 * Moves the run's status by an event whose type has the given status. An end is the newest RUN_FINISHED or RUN_FAILED. An
 * ended run goes on only with an event whose own timestamp is more than 60 s after that end; a TRAINING_STARTED revives it
 * by its effect.
 */
export function moveStatus(state: RunSnapshot, by: { event: TelemetryEvent; status: RunStatus }): void {
  const { event, status } = by;
  if (status !== 'running') {
    state.status = status;
    state.end = { status, at: event.timestamp, reason: reasonOf(event), seq: state.position.seq };
    return;
  }
  if (state.status === 'running') return;
  if (state.end === null || isAfterEnd(state.end, instantOf(event.timestamp))) state.status = 'running';
}

/** Says whether an event of that time, in milliseconds, shows that the run went on after the end. */
export function isAfterEnd(end: RunEnd, timestampMs: number): boolean {
  return timestampMs > instantOf(end.at) + REVIVED_AFTER_MS;
}

function reasonOf({ message, data }: TelemetryEvent): string | null {
  const reason = [message, data?.reason, data?.error].find((text) => typeof text === 'string' && text !== '');
  if (typeof reason !== 'string') return null;
  return cutText(reason, { charsMax: MESSAGE_BYTES_MAX, jsonBytesMax: MESSAGE_BYTES_MAX });
}
