import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import type { Answer, AskOptions } from '../shell/ask.ts';

type AskEvents = (
  query: NonNullable<AskOptions['query']>,
  signal: AbortSignal,
) => Promise<Answer<EventsPage>>;

/** Pages that are read for one event: a page without a match covers 4 MiB of the log. */
const PAGES_MAX = 16;
/** Duplicates are passed over; so many come after each other rarely. */
const EVENTS_OF_A_PAGE = 5;

/** What was found of one event. */
export type FoundEvent =
  | { readonly kind: 'event'; readonly event: StoredEvent }
  /** There is none, and why. */
  | { readonly kind: 'none'; readonly why: NoEvent };

/** `not_here`: the seq is of another run. `too_far`: none was found in the part of the log that was searched. */
export type NoEvent = 'gone' | 'not_yet' | 'not_here' | 'end' | 'too_far';

/** Reads the event of a seq. */
export async function readEvent(
  asked: { readonly seq: number; readonly ask: AskEvents },
  signal: AbortSignal,
): Promise<Answer<FoundEvent>> {
  const { seq, ask } = asked;
  const answer = await ask({ after: seq - 1, limit: 1 }, signal);
  if (answer.kind !== 'ok') return answer;
  const { events, oldest, position } = answer.body;
  const event = events.find((each) => each.seq === seq);
  if (event !== undefined) return found({ kind: 'event', event });
  const why = seq > position.seq ? 'not_yet' : seq < oldest ? 'gone' : 'not_here';
  return found({ kind: 'none', why });
}

/** Reads the event before or after a seq that a filter lets through. */
export async function readBeside(
  asked: {
    readonly seq: number;
    readonly to: 'before' | 'after';
    readonly query: NonNullable<AskOptions['query']>;
    readonly ask: AskEvents;
  },
  signal: AbortSignal,
): Promise<Answer<FoundEvent>> {
  const { to, query, ask } = asked;
  let from = asked.seq;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await ask({ ...query, [to]: from, limit: EVENTS_OF_A_PAGE }, signal);
    if (answer.kind !== 'ok') return answer;
    const { events, next } = answer.body;
    const inOrder = to === 'before' ? events.toReversed() : events;
    const event = inOrder.find(({ entry, duplicate }) => entry !== null && duplicate !== true);
    if (event !== undefined) return found({ kind: 'event', event });
    if (next === null) return found({ kind: 'none', why: 'end' });
    from = next;
  }
  return found({ kind: 'none', why: 'too_far' });
}

const found = (body: FoundEvent): Answer<FoundEvent> => ({ kind: 'ok', body });
