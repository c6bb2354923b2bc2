import { cutLetters } from '../run/cut-text.ts';

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

type Metadatum = string | number | undefined;

export function textOf(value: Metadatum): string {
  return value === undefined ? '' : String(value);
}

/** Text of at most this many letters; cut text ends in `…`. */
export function shortened(value: Metadatum, lettersMax: number): string {
  return cutLetters(textOf(value), lettersMax);
}

/** `+2.3%`, `-0.5%`; text such as NaN stays as it is. */
export function percentagePoints(value: Metadatum): string {
  if (typeof value !== 'number') return textOf(value);
  return `${value < 0 ? '' : '+'}${value.toFixed(1)}%`;
}

/** The slot that begins the line of a seed's event, where the event named one. */
export function slotSpans(metadata: Readonly<Record<string, string | number>>): readonly Span[] {
  return metadata.slot_id === undefined ? [] : [{ text: `${metadata.slot_id} `, tone: 'slot' }];
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
export function stageName(value: Metadatum): string {
  const text = textOf(value);
  return Object.hasOwn(stageNames, text) ? stageNames[text]! : text || '?';
}
