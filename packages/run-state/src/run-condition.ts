import { eventNames } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import type { RunHead, RunState } from '@runlog/schema/run/snapshot';

/** The fields that the state of a run is judged by. */
export type ConditionEvidence = Pick<
  RunHead,
  'status' | 'end' | 'last_received_at' | 'interval_ms' | 'counts'
>;

/** A run that sent heartbeats has lost contact when nothing has come for longer than this. */
export const LOST_CONTACT_AFTER_MS = 60_000;
/** Another run is quiet at the earliest when nothing has come for longer than this. */
export const QUIET_AFTER_MS = 60_000;
/** A run that usually sends more rarely is quiet after so many of its usual intervals. */
export const QUIET_AFTER_INTERVALS = 4;

/** The state of a run, and since when its evidence stands. */
export interface RunCondition {
  readonly state: RunState;
  /** Its newest event, or its end. */
  readonly state_since: string;
}

/** Judges a run at a time of the receiver's clock, by the arrival of its newest event and by its end. */
export function conditionOf(run: ConditionEvidence, nowMs: number): RunCondition {
  const { status, end, last_received_at } = run;
  if (status !== 'running') return { state: status, state_since: endedAt(end, last_received_at) };
  const state = nowMs <= silentAtMs(run) ? 'running' : sentHeartbeats(run) ? 'lost_contact' : 'quiet';
  return { state, state_since: last_received_at };
}

/** Returns the last millisecond of the state that time alone will change, or Infinity if no time changes it. */
export function conditionHoldsUntilMs(run: ConditionEvidence, nowMs: number): number {
  if (run.status !== 'running') return Number.POSITIVE_INFINITY;
  const silentMs = silentAtMs(run);
  return nowMs <= silentMs ? silentMs : Number.POSITIVE_INFINITY;
}

/** The last millisecond at which the silence of a running run means nothing. */
function silentAtMs(run: ConditionEvidence): number {
  const limitMs = sentHeartbeats(run)
    ? LOST_CONTACT_AFTER_MS
    : Math.max(QUIET_AFTER_MS, QUIET_AFTER_INTERVALS * (run.interval_ms ?? 0));
  return Date.parse(run.last_received_at) + limitMs;
}

/**
 * An emitter that sends heartbeats sends one whenever it has nothing to say. Without any, silence is no sign that it is
 * gone.
 */
function sentHeartbeats({ counts }: ConditionEvidence): boolean {
  return Object.hasOwn(counts, eventNames.RUN_HEARTBEAT) && counts[eventNames.RUN_HEARTBEAT]! > 0;
}

function endedAt(end: RunHead['end'], lastReceivedAt: string): string {
  const endMs = end === null ? Number.NaN : instantOf(end.at);
  return Number.isNaN(endMs) ? lastReceivedAt : new Date(endMs).toISOString();
}
