import { eventTypeOf } from '@runlog/schema/events/event-types';
import { instantOf, clockOf as utcClockOf } from '@runlog/schema/events/instant';
import type { Span, Tone } from '@runlog/schema/events/line-span';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** The number of lines that are kept. Older ones are only counted. */
const LINES_MAX = 300;
const EVENT_IDS_MAX = 10_000;
const ENV_IDS_SHOWN = 3;

/** One line of the event log. A rolled-up line grows: a new object with the same `id` takes its place. */
export interface LogLine {
  readonly id: number;
  /** The whole second, in milliseconds since the epoch. */
  readonly secondMs: number;
  readonly eventType: string;
  readonly spans: readonly Span[];
  readonly events: number;
  /** The distinct environments, in order of arrival. */
  readonly envIds: readonly number[];
}

/**
 * The event log as lines: individual events one by one, everything else one line per second and type. Sorted by
 * (second, arrival), deduplicated by event id, bounded.
 */
export class EventLogLines {
  #lines: LogLine[] = [];
  readonly #rollUps = new Map<string, LogLine>();
  readonly #eventIds = new Set<string>();
  #nextId = 0;
  #trimmed = 0;

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The number of lines that were too old to keep. */
  get trimmed(): number {
    return this.#trimmed;
  }

  add(entry: EventLogEntry): void {
    const eventId = entry.metadata.event_id;
    if (typeof eventId === 'string') {
      if (this.#eventIds.has(eventId)) return;
      this.#eventIds.add(eventId);
      if (this.#eventIds.size > EVENT_IDS_MAX) this.#eventIds.delete(this.#eventIds.values().next().value!);
    }
    const secondMs = secondOf(entry);
    const envIds = entry.env_id === null ? [] : [entry.env_id];
    const { page } = eventTypeOf(entry.event_type);
    if (page.class === 'individual') {
      const { kind, text } = page.line(entry);
      const slot = entry.metadata.slot_id;
      const spans: Span[] = slot === undefined ? [] : [{ text: `${slot} `, tone: 'slot' }];
      spans.push(kind, { text: ' ', tone: 'plain' }, ...text);
      this.#insert({ secondMs, eventType: entry.event_type, spans, events: 1, envIds });
      return;
    }
    const tone = page.class === 'unlogged' ? 'plain' : page.line(entry).kind.tone;
    const key = `${secondMs} ${entry.event_type}`;
    const rolledUp = this.#rollUps.get(key);
    if (rolledUp === undefined) {
      const line = this.#insert({
        secondMs,
        eventType: entry.event_type,
        spans: rollUpSpans({ name: entry.event_type, tone, events: 1 }),
        events: 1,
        envIds,
      });
      if (line !== null) this.#rollUps.set(key, line);
      return;
    }
    const events = rolledUp.events + 1;
    const isNewEnv = entry.env_id !== null && !rolledUp.envIds.includes(entry.env_id);
    const line: LogLine = {
      ...rolledUp,
      events,
      spans: rollUpSpans({ name: entry.event_type, tone, events }),
      envIds: isNewEnv ? [...rolledUp.envIds, ...envIds] : rolledUp.envIds,
    };
    this.#rollUps.set(key, line);
    this.#lines[this.#indexOf(rolledUp)] = line;
  }

  /** Adds a line which says that events are missing here. `count` is null if their number is not known. */
  addGap({ count }: { count: number | null }): void {
    const text =
      count === null ? '… events are missing here' : `… ${count.toLocaleString('en')} events not shown`;
    this.#insert({
      secondMs: this.#lines.at(-1)?.secondMs ?? 0,
      eventType: 'gap',
      spans: [{ text, tone: 'warn' }],
      events: count ?? 0,
      envIds: [],
    });
  }

  /** Returns null if the line is older than all that are kept. */
  #insert(content: Omit<LogLine, 'id'>): LogLine | null {
    let at = this.#lines.length;
    while (at > 0 && this.#lines[at - 1]!.secondMs > content.secondMs) at -= 1;
    if (at === 0 && this.#lines.length >= LINES_MAX) {
      this.#trimmed += 1;
      return null;
    }
    const line = { id: this.#nextId, ...content };
    this.#nextId += 1;
    this.#lines.splice(at, 0, line);
    if (this.#lines.length > LINES_MAX) {
      const oldest = this.#lines.shift()!;
      this.#rollUps.delete(`${oldest.secondMs} ${oldest.eventType}`);
      this.#trimmed += 1;
    }
    return line;
  }

  #indexOf(line: LogLine): number {
    // The newest lines grow, so the search begins at the end.
    for (let at = this.#lines.length - 1; at >= 0; at -= 1) if (this.#lines[at]!.id === line.id) return at;
    throw new Error('a rolled-up line that is not in the log');
  }
}

/**
 * Formats the time in UTC: in full (` HH:MM:SS `) on the first line and the first of each minute, else only the
 * seconds.
 */
export function clockOf(line: { secondMs: number }, before: { secondMs: number } | undefined): string {
  const clock = utcClockOf(line.secondMs);
  const isNewMinute =
    before === undefined || Math.floor(before.secondMs / 60_000) !== Math.floor(line.secondMs / 60_000);
  return isNewMinute ? clock : `${' '.repeat(5)}${clock.slice(5)}`;
}

/** Lists at most three environments, then `+`. */
export function envsOf(line: { envIds: readonly number[] }): string {
  const shown = line.envIds.slice(0, ENV_IDS_SHOWN).join(' ');
  return line.envIds.length > ENV_IDS_SHOWN ? `${shown}+` : shown;
}

/** Formats `EVENTS 1,234 (45.2/s)`, with one decimal below 100/s and none above. */
export function titleOf(totals: { events: number; eventsPerSecond: number }): string {
  return `EVENTS ${totals.events.toLocaleString('en')} (${rateText(totals.eventsPerSecond)}/s)`;
}

export function rateText(eventsPerSecond: number): string {
  return eventsPerSecond < 100
    ? eventsPerSecond.toFixed(1)
    : Math.round(eventsPerSecond).toLocaleString('en');
}

function rollUpSpans(type: { name: string; tone: Tone; events: number }): readonly Span[] {
  return [
    { text: type.name.replace(/_(COMPLETED|COMPUTED)$/, ''), tone: type.tone },
    { text: ` ×${type.events}`, tone: 'plain' },
  ];
}

/** Uses the date as well as the time, so that lines sort across midnight. */
export function secondOf(entry: Pick<EventLogEntry, 'occurred_at'>): number {
  const ms = instantOf(entry.occurred_at);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1_000) * 1_000;
}
