import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpFaultCode, httpFaultBody, httpFaults } from '@runlog/schema/faults';
import { eventsPageSchema, eventsQuerySchema, type StoredEvent } from '@runlog/schema/http/gateway-api';
import { entryOf } from '../support/entry-factory.ts';
import { EPOCH, withoutRanges } from './expand-frame.ts';
import type { HistoryAnswer } from './scenario.ts';

type Item = StoredEvent;
type Page = { readonly events: readonly Item[]; readonly next: number | null };

/**
 * `GET …/events` of a run: real pages of what a scenario lists, and misbehaviour that its steps ask for. It notes a fault
 * of a client that asks for a page again that it has.
 */
export class ScriptedHistory {
  /** The queries so far, as text. */
  readonly queries: string[] = [];
  readonly faults: string[] = [];
  readonly #items: readonly Item[];
  readonly #pageEventsMax: number;
  readonly #oldest: number;
  readonly #answers: HistoryAnswer[] = [];
  readonly #held: (() => void)[] = [];
  readonly #given = new Set<string>();

  constructor(options: { history: readonly unknown[]; oldest: number; pageEventsMax: number }) {
    this.#items = withoutRanges(options.history).map((item) =>
      itemOf(typeof item === 'number' ? { seq: item } : item),
    );
    this.#pageEventsMax = options.pageEventsMax;
    this.#oldest = options.oldest;
    eventsPageSchema.parse(this.#pageOf({ events: this.#items, next: null }));
  }

  /** The next requests get these answers. */
  plan(answers: readonly HistoryAnswer[]): void {
    this.#answers.push(...answers);
  }

  /** Answers the requests that were held. */
  release(): void {
    for (const send of this.#held.splice(0)) send();
  }

  respond(request: IncomingMessage, response: ServerResponse): void {
    const { search } = new URL(request.url ?? '/', 'http://localhost');
    this.queries.push(search);
    const page = this.#page(search);
    if (page === null) {
      this.faults.push(`GET …/events${search} is a query that the gateway refuses`);
      sendJson(response, httpFaults.invalid_query.status, httpFaultBody('invalid_query', search));
      return;
    }
    this.#answer(this.#answers.shift() ?? 'page', { search, page, response });
  }

  #answer(
    answer: HistoryAnswer,
    { search, page, response }: { search: string; page: Page; response: ServerResponse },
  ): void {
    if (answer === 'page' || answer === 'hold') {
      this.#give(search);
      const send = () => sendJson(response, 200, this.#pageOf(page));
      if (answer === 'page') send();
      else this.#held.push(send);
    } else if (answer === 'empty') {
      sendJson(response, 200, this.#pageOf({ events: [], next: Number(placeOf(search)) }));
    } else if (answer === 'cut') {
      response.destroy();
    } else if (typeof answer === 'string') {
      sendFault(response, answer);
    } else if ('behind' in answer) {
      sendJson(response, 200, this.#asOf(answer.behind, page.events));
    } else {
      sendFault(response, 'overloaded', answer.later_s);
    }
  }

  #pageOf(page: Page): object {
    return { ...page, position: { epoch: EPOCH, seq: this.#items.at(-1)?.seq ?? 0 }, oldest: this.#oldest };
  }

  /** A page of a gateway that has read only so far. */
  #asOf(seq: number, events: readonly Item[]): object {
    const read = events.filter((item) => item.seq <= seq);
    return { ...this.#pageOf({ events: read, next: null }), position: { epoch: EPOCH, seq } };
  }

  #give(search: string): void {
    if (this.#given.has(search))
      this.faults.push(`GET …/events${search} was asked for again after it was answered`);
    this.#given.add(search);
  }

  #page(search: string): Page | null {
    const query = eventsQuerySchema.safeParse(queryOf(search));
    if (!query.success) return null;
    const { before, after, limit, type, not_type, env, slot, severity, q } = query.data;
    const passes = ({ entry }: Item) =>
      (type === undefined || (entry !== null && type.includes(entry.event_type))) &&
      (not_type === undefined || (entry !== null && !not_type.includes(entry.event_type))) &&
      (slot === undefined || (entry !== null && slot.includes(String(entry.metadata.slot_id)))) &&
      (env === undefined || (entry !== null && entry.env_id !== null && env.includes(entry.env_id))) &&
      (severity === undefined || (entry !== null && severity.includes(entry.severity))) &&
      (q === undefined || JSON.stringify(entry).toLowerCase().includes(q.toLowerCase()));
    const count = Math.min(limit, this.#pageEventsMax);
    if (after !== undefined) {
      const above = this.#items.filter((item) => item.seq > after && passes(item));
      const events = above.slice(0, count);
      return { events, next: above.length > count ? events.at(-1)!.seq : null };
    }
    const below = this.#items.filter(
      (item) => item.seq < (before ?? Number.POSITIVE_INFINITY) && passes(item),
    );
    const events = below.slice(-count);
    return { events, next: below.length > count ? events[0]!.seq : null };
  }
}

function placeOf(search: string): string {
  const query = new URLSearchParams(search);
  return query.get('after') ?? query.get('before') ?? '0';
}

function queryOf(search: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {};
  const parameters = new URLSearchParams(search);
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    query[name] = values.length === 1 ? values[0]! : values;
  }
  return query;
}

function itemOf(written: Record<string, unknown>): Item {
  const {
    seq,
    duplicate = false,
    entry,
    ...overrides
  } = written as Record<string, unknown> & { seq: number };
  const made = entryOf({ seq, ...overrides });
  return {
    seq,
    received_at: '2026-01-04T00:00:00.000Z',
    entry: entry === null ? null : made,
    event: { event_id: made.metadata.event_id, event_type: made.event_type },
    duplicate: duplicate as boolean | null,
  };
}

/** A scenario should not last, so most of them tell nobody to wait. */
function sendFault(response: ServerResponse, code: HttpFaultCode, retryAfterS = 0): void {
  const { status, retry } = httpFaults[code];
  if (retry) response.setHeader('retry-after', String(retryAfterS));
  sendJson(response, status, httpFaultBody(code, code));
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
