import { eventNames } from '@runlog/schema/events/event-types';
import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { Answer, AskOptions } from '../shell/ask.ts';

/** Where a round ended, as far as the figures tell it. */
export interface RoundEnd {
  /** An offset near the event. */
  readonly seq: number;
  /** An offset well behind it. */
  readonly beforeSeq: number;
  /** The event's own time. */
  readonly atMs: number;
}

type Ask = <Body>(path: string, options: AskOptions) => Promise<Answer<Body>>;

/** Ends of rounds that are looked through for the one at the right time. */
const ROUNDS_READ = 20;

/** Asks for the state of a run at the end of a round: exactly, if its event is found, else near it. */
export async function askStateAtRound(
  of: { readonly key: string; readonly end: RoundEnd; readonly ask: Ask },
  signal: AbortSignal,
): Promise<Answer<DeliveredSnapshot>> {
  const { key, end, ask } = of;
  const query = { type: eventNames.BATCH_EPOCH_COMPLETED, before: end.beforeSeq, limit: ROUNDS_READ };
  const ends = await ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });
  const found =
    ends.kind === 'ok'
      ? ends.body.events.findLast(({ event }) => instantOf(String(event.timestamp)) === end.atMs)
      : undefined;
  return ask<DeliveredSnapshot>(`v1/runs/${key}`, { query: { at: found?.seq ?? end.seq }, signal });
}
