import type { EventLogEntry } from '../run/snapshot.ts';

/** The meaning of a piece of a line on the page; the style sheet knows its colour. */
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

/** A piece of a line on the page. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** What an event says, in columns. Its slot and its environment have columns of their own. */
export interface EventLine {
  /** A short name of what happened. */
  readonly kind: Span;
  readonly text: readonly Span[];
}

/** The part of an entry that its line is written from. */
export type LineEntry = Pick<EventLogEntry, 'event_type' | 'message' | 'metadata' | 'values'>;

type Value = string | number | boolean | undefined;

/** An event type as a name of a kind: `REWARD` for REWARD_COMPUTED. */
export function kindOf(eventType: string): string {
  return eventType.replace(/_(COMPLETED|COMPUTED)$/, '');
}

/** The line of a type that has no words of its own: the event's message, and everything else as `name=value`. */
export function plainLine(kind: Span | null, tone: Tone = 'plain'): (entry: LineEntry) => EventLine {
  return (entry) => ({
    kind: kind ?? { text: kindOf(entry.event_type), tone },
    text: joined([...messageSpans(entry), ...valueSpans(entry, [])]),
  });
}

/** The message of an event, unless it only repeats its type. */
export function messageSpans({ event_type, message }: LineEntry): readonly Span[] {
  return message === event_type || message === '' ? [] : [{ text: message, tone: 'plain' }];
}

/** The values of an entry as `name=value`, except those that the line tells already. */
export function valueSpans({ values }: LineEntry, told: readonly string[]): readonly Span[] {
  return Object.entries(values)
    .filter(([name]) => !told.includes(name))
    .map(([name, value]) => ({
      text: `${name}=${scalarText(value)}`,
      tone: isNotANumber(value) ? 'bad' : 'dim',
    }));
}

/** The values that are NaN or infinite: a line says them even if it has no room for the others. */
export function oddValueSpans(entry: LineEntry, told: readonly string[]): readonly Span[] {
  return valueSpans(entry, told).filter(({ tone }) => tone === 'bad');
}

/** Puts a blank before every span but the first. */
export function joined(spans: readonly (Span | null)[]): readonly Span[] {
  return spans
    .filter((span) => span !== null && span.text !== '')
    .map((span, at) => (at === 0 ? span! : { ...span!, text: ` ${span!.text}` }));
}

/** Whether a value is the text that stands for a number which JSON does not have. */
export function isNotANumber(value: Value): boolean {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity';
}

/** `name:1.23`, or null if the value is not known. What is not a number is shown as a fault. */
export function figureSpan(
  name: string,
  value: Value,
  to: { digits: number; tone?: Tone; unit?: string; scale?: number },
): Span | null {
  if (value === undefined) return null;
  const { digits, tone = 'plain', unit = '', scale = 1 } = to;
  const label = name === '' ? '' : `${name}:`;
  if (typeof value === 'number') return { text: `${label}${fixed(value * scale, digits)}${unit}`, tone };
  return { text: `${label}${value}`, tone: isNotANumber(value) ? 'bad' : tone };
}

/** A number with so many decimals, and never `-0`. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

/** A value in six digits, which is more than an eye compares; the raw event has all of them. */
function scalarText(value: string | number | boolean): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  return typeof value === 'string' && /[\s"]/.test(value) ? JSON.stringify(value) : String(value);
}

export function textOf(value: Value): string {
  return value === undefined ? '' : String(value);
}

/** `+2.3%`, `-0.5%`; text such as NaN stays as it is. */
export function percentagePoints(value: Value): string {
  if (typeof value !== 'number') return textOf(value);
  return `${value < 0 ? '' : '+'}${value.toFixed(1)}%`;
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

/** The short name of a seed's stage; an unknown stage keeps its name. */
export function stageName(value: Value): string {
  const text = textOf(value);
  return Object.hasOwn(stageNames, text) ? stageNames[text]! : text || '?';
}
