import { isMilestone } from '@runlog/run-state/milestone';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** Lines that are kept; older ones are only counted. */
const LINES_MAX = 300;
const EVENT_IDS_MAX = 10_000;
const ENV_IDS_SHOWN = 3;
const BLUEPRINT_CHARS_MAX = 10;
const REASON_CHARS_MAX = 8;
/** Above it the clip fraction of a PPO update is shown as a warning. */
const CLIP_FRACTION_HIGH = 0.2;

/** The meaning of a piece of a line; the style sheet knows its colour. */
export type Tone =
  | 'plain'
  | 'dim'
  | 'slot'
  | 'germinated'
  | 'changed'
  | 'good'
  | 'bad'
  | 'warn'
  | 'ppo'
  | 'epoch';

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** One line of the log. A rolled-up line grows in place; `version` tells that it did. */
export interface LogLine {
  readonly id: number;
  /** The whole second, in milliseconds since the epoch. */
  readonly secondMs: number;
  readonly eventType: string;
  readonly spans: readonly Span[];
  readonly events: number;
  /** Distinct, in order of arrival. */
  readonly envIds: readonly number[];
}

/**
 * The event log as lines: individual events one by one, everything else one line per second and type. Sorted by
 * (second, arrival), deduplicated by event id, bounded.
 */
export class LogLines {
  #lines: LogLine[] = [];
  readonly #rollUps = new Map<string, LogLine>();
  readonly #eventIds = new Set<string>();
  #nextId = 0;
  #trimmed = 0;

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Lines that were too old to keep. */
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
    if (isMilestone(entry.event_type)) {
      this.#insert({ secondMs, eventType: entry.event_type, spans: describe(entry), events: 1, envIds });
      return;
    }
    const key = `${secondMs} ${entry.event_type}`;
    const rolledUp = this.#rollUps.get(key);
    if (rolledUp === undefined) {
      const line = this.#insert({
        secondMs,
        eventType: entry.event_type,
        spans: describeRollUp(entry.event_type, 1),
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
      spans: describeRollUp(entry.event_type, events),
      envIds: isNewEnv ? [...rolledUp.envIds, ...envIds] : rolledUp.envIds,
    };
    this.#rollUps.set(key, line);
    this.#lines[this.#indexOf(rolledUp)] = line;
  }

  /** Says that events are missing here because this page could not keep up. */
  addGap(gap: { skipped: number; secondMs: number }): void {
    const text = `… ${gap.skipped.toLocaleString('en')} events not shown: this page was too slow`;
    this.#insert({
      secondMs: gap.secondMs,
      eventType: 'skipped',
      spans: [{ text, tone: 'warn' }],
      events: gap.skipped,
      envIds: [],
    });
  }

  /** Gives `null` when the line is older than all that is kept. */
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

/** Full ` HH:MM:SS ` on the first line and the first of each minute, else only the seconds. In UTC. */
export function clockOf(line: { secondMs: number }, before: { secondMs: number } | undefined): string {
  const iso = new Date(line.secondMs).toISOString();
  const isNewMinute =
    before === undefined || Math.floor(before.secondMs / 60_000) !== Math.floor(line.secondMs / 60_000);
  return isNewMinute ? iso.slice(11, 19) : `${' '.repeat(5)}${iso.slice(16, 19)}`;
}

/** At most three environments, then `+`. */
export function envsOf(line: { envIds: readonly number[] }): string {
  const shown = line.envIds.slice(0, ENV_IDS_SHOWN).join(' ');
  return line.envIds.length > ENV_IDS_SHOWN ? `${shown}+` : shown;
}

/** `EVENTS 1,234 (45.2/s)`; one decimal under 100/s, none above. */
export function titleOf(totals: { events: number; eventsPerSecond: number }): string {
  return `EVENTS ${totals.events.toLocaleString('en')} (${rateText(totals.eventsPerSecond)}/s)`;
}

export function rateText(eventsPerSecond: number): string {
  return eventsPerSecond < 100
    ? eventsPerSecond.toFixed(1)
    : Math.round(eventsPerSecond).toLocaleString('en');
}

/** The text of an individual-class event. */
export function describe(entry: EventLogEntry): readonly Span[] {
  const { metadata } = entry;
  const slot: Span[] = metadata.slot_id === undefined ? [] : [{ text: `${metadata.slot_id} `, tone: 'slot' }];
  switch (entry.event_type) {
    case 'SEED_GERMINATED': {
      const blueprint = shorten(textOf(metadata.blueprint), BLUEPRINT_CHARS_MAX);
      return [...slot, { text: `GERM ${blueprint}`.trimEnd(), tone: 'germinated' }];
    }
    case 'SEED_STAGE_CHANGED':
      return [...slot, { text: `${stage(metadata.from)}→${stage(metadata.to)}`, tone: 'changed' }];
    case 'SEED_GATE_EVALUATED': {
      const isPassed = metadata.result === 'PASS';
      const failed = metadata.failed_checks === undefined ? '' : ` (${metadata.failed_checks} failed)`;
      return [
        ...slot,
        { text: `${textOf(metadata.gate)} `, tone: 'changed' },
        { text: isPassed ? '✓' : '✗', tone: isPassed ? 'good' : 'bad' },
        { text: ` →${stage(metadata.target_stage)}`, tone: 'changed' },
        ...(failed === '' ? [] : [{ text: failed, tone: 'bad' as const }]),
      ];
    }
    case 'SEED_FOSSILIZED':
      return [...slot, { text: `FOSS ${percentagePoints(metadata.improvement)}`.trimEnd(), tone: 'good' }];
    case 'SEED_PRUNED':
    case 'SEED_CULLED': {
      const reason = shorten(textOf(metadata.reason), REASON_CHARS_MAX);
      return [...slot, { text: `PRUNE ${reason}`.trimEnd(), tone: 'bad' }];
    }
    case 'PPO_UPDATE_COMPLETED':
      return describePpo(entry);
    case 'BATCH_EPOCH_COMPLETED':
      return [
        { text: `ROUND #${textOf(metadata.batch) || '?'}`, tone: 'epoch' },
        { text: ` +${textOf(metadata.episodes) || '?'}eps`, tone: 'dim' },
      ];
    case 'TRAINING_STARTED':
      return [{ text: '▶ TRAINING STARTED', tone: 'good' }];
    default:
      return [{ text: entry.event_type, tone: 'plain' }];
  }
}

function describePpo(entry: EventLogEntry): readonly Span[] {
  const { entropy, clip_fraction: clipFraction, reason } = entry.metadata;
  const spans: Span[] = [{ text: 'PPO', tone: 'ppo' }];
  if (reason !== undefined) spans.push({ text: ` skipped (${reason})`, tone: 'warn' });
  if (typeof entropy === 'number') spans.push({ text: ` ent:${entropy.toFixed(2)}`, tone: 'plain' });
  if (typeof clipFraction === 'number') {
    const tone = clipFraction > CLIP_FRACTION_HIGH ? 'warn' : 'good';
    spans.push({ text: ` clip:${Math.round(clipFraction * 100)}%`, tone });
  }
  return spans;
}

function describeRollUp(eventType: string, events: number): readonly Span[] {
  const label = eventType.replace(/_(COMPLETED|COMPUTED)$/, '');
  return [
    { text: label, tone: toneOfRollUp(eventType) },
    { text: ` ×${events}`, tone: 'plain' },
  ];
}

function toneOfRollUp(eventType: string): Tone {
  if (eventType === 'EPOCH_COMPLETED') return 'epoch';
  if (eventType === 'REWARD_COMPUTED') return 'dim';
  if (eventType === 'RUN_FINISHED') return 'good';
  return eventType === 'RUN_FAILED' ? 'bad' : 'plain';
}

const stageNames: Readonly<Record<string, string>> = {
  DORMANT: 'DORM',
  GERMINATED: 'GERM',
  TRAINING: 'TRAIN',
  HOLDING: 'HOLD',
  BLENDING: 'BLEND',
  FOSSILIZED: 'FOSS',
  PRUNED: 'PRUNE',
  EMBARGOED: 'EMBG',
  RESETTING: 'RESET',
};

function stage(name: string | number | undefined): string {
  const text = textOf(name);
  return stageNames[text] ?? (text || '?');
}

function textOf(value: string | number | undefined): string {
  return value === undefined ? '' : String(value);
}

function percentagePoints(value: string | number | undefined): string {
  if (typeof value !== 'number') return textOf(value);
  return `${value < 0 ? '' : '+'}${value.toFixed(1)}%`;
}

function shorten(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text;
}

/** A date as well as a time, so that midnight sorts. */
function secondOf(entry: EventLogEntry): number {
  const ms = Date.parse(entry.occurred_at);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1_000) * 1_000;
}
