import { controlOf } from '@runlog/records/control-record';
import { receivedAtOf } from '@runlog/records/event-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import type { KnownEpisodes } from '@runlog/run-state/known-episodes';
import { episodeSetBy, isLogged, pastEntryOf } from '@runlog/run-state/past-entry';
import { isRepeat } from '@runlog/run-state/repeats';
import type { EventRecord } from '@runlog/run-state/run-record';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { parseJson } from '@runlog/topic-io/parse-json';
import type { LogRecord } from '@runlog/topic-io/topic-io';

/** An event of a run that was read again from the log. */
export interface PastEvent {
  readonly seq: number;
  readonly receivedAt: string | null;
  /** The event's JSON, as it was received. */
  readonly text: string;
  /** Null if no fold can read it. */
  readonly record: EventRecord | null;
  /** Null if the snapshot no longer knows. */
  readonly duplicate: boolean | null;
  /** The run's episode before it; null until that is known. */
  episode: number | null;
}

/** Reads a record of the run that `state` is of. Returns null if it is not an event. */
export function pastEvent(record: LogRecord, state: RunSnapshot): PastEvent | null {
  if (record.value === null || controlOf(record) !== null) return null;
  const text = record.value.toString('utf8');
  const decoded = decodeRunRecord(record, state.position.epoch, state);
  if (decoded.kind !== 'event' && !isJsonObject(text)) return null;
  return {
    seq: record.offset,
    receivedAt: receivedAtOf(record),
    text,
    record: decoded.kind === 'event' ? decoded : null,
    duplicate: isRepeat(state.repeats, record.offset),
    episode: null,
  };
}

/**
 * Sets the episodes of consecutive events of a run and returns the episode after them. `before` is the one before the
 * first, or null if it is not known. It becomes known at the first event at which the snapshot knows it, and behind the
 * first one that sets it.
 */
export function setEpisodes(
  events: readonly PastEvent[],
  { before, known }: { before: number | null; known: KnownEpisodes },
): number | null {
  let episode = before;
  for (const event of events) {
    episode = known.at(event.seq) ?? episode;
    event.episode = episode;
    if (event.record === null || event.duplicate === true) continue;
    episode = episodeSetBy(event.record) ?? episode;
  }
  return episode;
}

/** Returns the entry that went out live, or null if the event made none. `episode` is the run's before the event. */
function liveEntryOf({ record, duplicate }: PastEvent, episode: number): EventLogEntry | null {
  if (record === null || duplicate === true || !isLogged(record.event.event_type)) return null;
  return pastEntryOf(record, episode);
}

/** Writes the event as a StoredEvent. `known` stands in where the episode itself is not known. */
export function storedEventText(event: PastEvent, known: KnownEpisodes): string {
  const { seq, receivedAt, text, duplicate } = event;
  const episode = event.episode ?? known.below(seq)?.episode ?? 0;
  const entry = JSON.stringify(liveEntryOf(event, episode));
  return `{"seq":${seq},"received_at":${JSON.stringify(receivedAt)},"entry":${entry},"event":${text},"duplicate":${duplicate}}`;
}

function isJsonObject(text: string): boolean {
  const value = parseJson(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
