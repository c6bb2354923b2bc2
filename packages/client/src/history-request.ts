import { relativeTime } from '@runlog/run-state/freshness';
import { instantOf } from '@runlog/schema/events/instant';
import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_MAX } from '@runlog/schema/limits';
import type { DeliveredEntry, Position, Severity } from '@runlog/schema/run/snapshot';
import type { HistoryAnswer } from './backfill.ts';

/** Only these entries of a run. Each list means any of its values. */
export interface EntryFilter {
  readonly type?: readonly string[];
  /** No entries of these types. */
  readonly not_type?: readonly string[];
  readonly env?: readonly number[];
  /** The slots that metadata or values show. */
  readonly slot?: readonly string[];
  readonly severity?: readonly Severity[];
  /** A part of the message, the type, the metadata or the values, in upper or lower case. */
  readonly q?: string;
}

export type FetchLike = (
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}>;

const ANSWER_MS_MAX = 20_000;
/** A server that asks for more is asked again after this time anyway. */
const RETRY_AFTER_MS_MAX = 30_000;

/** Asks a gateway for a page of a run's history. It never rejects. */
export async function requestHistory(asked: {
  /** The address of the run. */
  run: string;
  after: number;
  filter: EntryFilter;
  key: string | undefined;
  fetch: FetchLike;
  signal: AbortSignal;
}): Promise<HistoryAnswer> {
  const query = new URLSearchParams({ after: String(asked.after), limit: String(EVENTS_PAGE_MAX) });
  for (const name of ['type', 'not_type', 'env', 'slot', 'severity'] as const) {
    for (const value of asked.filter[name] ?? []) query.append(name, String(value));
  }
  if (asked.filter.q !== undefined) query.set('q', asked.filter.q);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (asked.key !== undefined) headers.authorization = `Bearer ${asked.key}`;
  try {
    // A browser's `fetch` may not be called as a method of something else.
    const { fetch } = asked;
    const response = await fetch(`${asked.run}/events?${query}`, {
      headers,
      signal: AbortSignal.any([asked.signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
    });
    if (response.status === 200) return pageOf(await response.json());
    await response.json().catch(() => undefined);
    return refusalOf(response.status, retryAfterMs(response.headers.get('retry-after')));
  } catch {
    return { kind: 'failed', reason: 'unavailable', retryAfterMs: 0 };
  }
}

/** Returns an event of the history as its entry went out live, or null if it made none. */
export function deliveredEntryOf({ entry }: StoredEvent, nowMs: number): DeliveredEntry | null {
  if (entry === null) return null;
  return { ...entry, relative_time: relativeTime({ occurredAtMs: instantOf(entry.occurred_at), nowMs }) };
}

function refusalOf(status: number, retryAfterMs: number): HistoryAnswer {
  switch (status) {
    case 400:
      return { kind: 'refused', reason: 'not_supported' };
    case 401:
    case 403:
      // A gateway ends the connection of a key that is not valid any more, or shows other runs. Until then nothing is given
      // up: a client that comes back with another key goes on from what was handed over.
      return { kind: 'failed', reason: 'forbidden', retryAfterMs };
    case 404:
      return { kind: 'refused', reason: 'no_such_run' };
    case 410:
      return { kind: 'refused', reason: 'history_gone' };
    default:
      return { kind: 'failed', reason: 'unavailable', retryAfterMs };
  }
}

function retryAfterMs(header: string | null): number {
  const seconds = Number(header ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds * 1_000), RETRY_AFTER_MS_MAX) : 0;
}

function pageOf(answer: unknown): HistoryAnswer {
  const { events, next, position, oldest } = (answer ?? {}) as Partial<Record<string, unknown>>;
  const isPage =
    Array.isArray(events) && events.every(isStored) && (next === null || Number.isSafeInteger(next));
  if (!isPage) return { kind: 'failed', reason: 'unavailable', retryAfterMs: 0 };
  return {
    ...{ kind: 'page', events: events as StoredEvent[], next: next as number | null },
    position: isPosition(position) ? position : undefined,
    oldest: typeof oldest === 'number' ? oldest : undefined,
  };
}

function isStored(item: unknown): boolean {
  const { seq, entry, event } = (item ?? {}) as Partial<Record<string, unknown>>;
  return Number.isSafeInteger(seq) && (entry === null || isEntry(entry)) && isObject(event);
}

function isEntry(entry: unknown): boolean {
  if (!isObject(entry)) return false;
  const { seq, occurred_at, message, event_type, metadata, values } = entry;
  const areTexts = [occurred_at, message, event_type].every((value) => typeof value === 'string');
  return Number.isSafeInteger(seq) && areTexts && isObject(metadata) && isObject(values);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isPosition(value: unknown): value is Position {
  const { epoch, seq } = (value ?? {}) as Partial<Position>;
  return typeof epoch === 'string' && Number.isSafeInteger(seq);
}
