import { instantOf } from '@runlog/schema/events/instant';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { seqAtTime } from '../run/seq-at-time.ts';

/** So many events before and behind the time of an event are looked at for it: clocks of senders differ. */
const AROUND = 250;

type Query = { readonly after: number; readonly limit: number };

/** Where an event stands in a history that began anew, or the event nearest to it. */
export interface FoundAgain {
  readonly seq: number;
  readonly isSame: boolean;
}

/** Looks for an event by its id, near its time. Returns null if the history has no event, and rejects if it cannot be read. */
export async function findAgain(
  { metadata, occurred_at }: EventLogEntry,
  of: { firstSeq: number; lastSeq: number; read(query: Query): Promise<EventsPage> },
): Promise<FoundAgain | null> {
  const nearest = await seqAtTime(instantOf(occurred_at), of, async (after) => {
    const [event] = (await of.read({ after, limit: 1 })).events;
    return event === undefined ? null : { seq: event.seq, ms: instantOf(String(event.event.timestamp)) };
  });
  if (nearest === null) return null;
  const { events } = await of.read({ after: Math.max(-1, nearest - 1 - AROUND), limit: 2 * AROUND });
  const same = events.find(
    ({ event, duplicate }) => duplicate !== true && event.event_id === metadata.event_id,
  );
  return { seq: same?.seq ?? nearest, isSame: same !== undefined };
}
