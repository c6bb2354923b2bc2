import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { connection } from '../shell/connection.ts';
import type { FollowedRun } from './followed-run.ts';
import { seqAtTime, type TimedEvent } from './seq-at-time.ts';

/** The first event of a run at or after a time, or a sentence that says why there is none to go to. */
export type FoundSeq =
  | { readonly kind: 'seq'; readonly seq: number }
  | { readonly kind: 'fault'; readonly sentence: string };

/** Looks for a time in the history of a run. */
export async function findSeq(run: FollowedRun | null, ms: number): Promise<FoundSeq> {
  const snapshot = run?.snapshot.peek();
  if (run === null || snapshot === null || snapshot === undefined || snapshot.position === null) {
    return { kind: 'fault', sentence: 'there is no run here yet' };
  }
  const range = { firstSeq: snapshot.first_seq, lastSeq: snapshot.position.seq };
  try {
    const seq = await seqAtTime(ms, range, (after) => oldestAfter(run.key, after));
    return seq === null
      ? { kind: 'fault', sentence: 'this run has no event at that time' }
      : { kind: 'seq', seq };
  } catch (error) {
    const sentence = error instanceof Error ? error.message : 'the gateway does not answer';
    return { kind: 'fault', sentence };
  }
}

async function oldestAfter(key: string, after: number): Promise<TimedEvent | null> {
  const query = { after, limit: 1 };
  const answer = await connection().ask<EventsPage>(`v1/runs/${key}/events`, { query });
  if (answer.kind === 'away') throw new Error('the gateway does not answer');
  if (answer.kind === 'refused') throw new Error(answer.message);
  const [event] = answer.body.events;
  return event === undefined ? null : { seq: event.seq, ms: instantOf(String(event.event.timestamp)) };
}

/** The time of the newest event of a run, in milliseconds since 1970; null if it has none. */
export function lastMsOf(run: FollowedRun | null): number | null {
  const snapshot = run?.snapshot.value;
  if (snapshot === null || snapshot === undefined || snapshot.position === null) return null;
  const ms = instantOf(snapshot.last_event_at ?? snapshot.last_received_at);
  return Number.isNaN(ms) ? null : ms;
}
