import type { EntryFilter } from '@runlog/client/history-request';
import { eventNames, eventTypes, type KnownEventType, shortNameOf } from '@runlog/schema/events/event-types';
import { FILTER_VALUES_MAX, QUERY_CHARS_MAX } from '@runlog/schema/limits';
import type { Severity } from '@runlog/schema/run/snapshot';

/**
 * What the log shows, as it is typed: `type:gate env:2 slot:r0c1 severity:warning -type:reward "stagnation"`. Values of one
 * name mean any of them, and stand in one word (`env:2,3`) or in several. Different names must all hold. A severity means
 * that and above; `severity:=warning` means exactly that. Text in quotes is searched for as it is, in upper or lower case.
 */
export interface LogFilter {
  /** Event types, in full. */
  readonly types: readonly string[];
  readonly notTypes: readonly string[];
  readonly envs: readonly number[];
  readonly slots: readonly string[];
  readonly severities: readonly Severity[];
  /** Empty if nothing is searched for. */
  readonly text: string;
}

export const noFilter: LogFilter = {
  ...{ types: [], notTypes: [], envs: [], slots: [], severities: [], text: '' },
};

/** The part of a filter that is not valid, by places in the text, and a sentence that says what to write. */
export interface FilterFault {
  readonly kind: 'fault';
  readonly message: string;
  readonly from: number;
  readonly to: number;
}

export type ParsedFilter = { readonly kind: 'filter'; readonly filter: LogFilter } | FilterFault;

const severities: readonly Severity[] = ['debug', 'info', 'warning', 'error', 'critical'];

const knownTypes = (Object.keys(eventTypes) as KnownEventType[]).filter((type) => !isUnlogged(type));

/** Names of several types at once. */
const groups: Readonly<Record<string, readonly string[]>> = {
  lifecycle: knownTypes.filter((type) => type.startsWith('SEED_')),
  run: [eventNames.TRAINING_STARTED, eventNames.RUN_FINISHED, eventNames.RUN_FAILED],
};

/**
 * Reads what was typed. `types` are the types of the run, which may be named in lower case and without their ending, as the
 * log shows them.
 */
export function parseFilter(typed: string, { types = [] }: { types?: readonly string[] } = {}): ParsedFilter {
  const named = typesByName(types);
  const filter = {
    types: new Set<string>(),
    notTypes: new Set<string>(),
    envs: new Set<number>(),
    slots: new Set<string>(),
    severities: new Set<Severity>(),
  };
  const texts: Word[] = [];
  for (const word of wordsOf(typed)) {
    const message = word.isUnclosed ? 'Close the quotes.' : readWord(word, { filter, named, texts });
    if (message !== null) return { kind: 'fault', message, from: word.from, to: word.to };
  }
  const text = texts.map(({ value }) => value).join(' ');
  const message = faultOf({ ...filter, text });
  if (message !== null) return { kind: 'fault', message, from: 0, to: typed.length };
  return {
    kind: 'filter',
    filter: {
      types: [...filter.types],
      notTypes: [...filter.notTypes],
      envs: [...filter.envs],
      slots: [...filter.slots],
      severities: severities.filter((severity) => filter.severities.has(severity)),
      text,
    },
  };
}

/** Writes a filter so that `parseFilter` reads the same filter again. */
export function formatFilter(filter: LogFilter): string {
  const words = [
    ...typeWords('type', filter.types),
    ...filter.envs.map((env) => `env:${env}`),
    ...filter.slots.map((slot) => `slot:${quoted(slot)}`),
    ...severityWords(filter.severities),
    ...typeWords('-type', filter.notTypes),
  ];
  if (filter.text !== '') words.push(JSON.stringify(filter.text));
  return words.join(' ');
}

/** What is asked of the server. It has no member for what does not matter. */
export function serverFilterOf(filter: LogFilter): EntryFilter {
  const { types, notTypes, envs, slots, severities: levels, text } = filter;
  return {
    ...(types.length > 0 && { type: types }),
    ...(notTypes.length > 0 && { not_type: notTypes }),
    ...(envs.length > 0 && { env: envs }),
    ...(slots.length > 0 && { slot: slots }),
    ...(levels.length > 0 && { severity: levels }),
    ...(text !== '' && { q: text }),
  };
}

export function isNoFilter(filter: LogFilter): boolean {
  return Object.keys(serverFilterOf(filter)).length === 0;
}

/** A class of events that can be switched off. */
export interface Chip {
  readonly name: string;
  readonly types: readonly string[];
  /** How many events of these types the run has. */
  readonly count: number;
  readonly isOn: boolean;
}

const chipTypes: readonly (readonly [name: string, types: readonly string[]])[] = [
  ['lifecycle', groups.lifecycle!],
  ...[
    eventNames.PPO_UPDATE_COMPLETED,
    eventNames.BATCH_EPOCH_COMPLETED,
    eventNames.EPOCH_COMPLETED,
    eventNames.REWARD_COMPUTED,
  ].map((type) => [shortNameOf(type).toLowerCase(), [type]] as const),
];
const OTHER_CHIPS_MAX = 6;
/** The name under which the fold counts the types that are too many. No filter can name them. */
const OTHER_COUNT = 'other';

/** The chips of a run, from its counts by type: those of the known classes, then the most frequent of other types. */
export function chipsOf(counts: Readonly<Record<string, number>>, filter: LogFilter): readonly Chip[] {
  const shown = new Set([...chipTypes.flatMap(([, types]) => types), OTHER_COUNT]);
  const others = Object.entries(counts)
    .filter(([type]) => !shown.has(type) && !isUnlogged(type))
    .sort(([one, of], [other, ofOther]) => ofOther - of || (one < other ? -1 : 1))
    .slice(0, OTHER_CHIPS_MAX)
    .map(([type]) => [shortNameOf(type).toLowerCase(), [type]] as const);
  const off = new Set(filter.notTypes);
  return [...chipTypes, ...others]
    .map(([name, types]) => {
      const count = types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
      return { name, types, count, isOn: !types.every((type) => off.has(type)) };
    })
    .filter(({ count, isOn }) => count > 0 || !isOn);
}

/** The filter after a click on a chip: its types are left out, or no longer. */
export function withChip(filter: LogFilter, { types, isOn }: Chip): LogFilter {
  const others = filter.notTypes.filter((type) => !types.includes(type));
  return { ...filter, notTypes: isOn ? [...others, ...types] : others };
}

interface Word {
  /** `type`, `-type`, `env` …; null for text that is searched for. */
  readonly name: string | null;
  readonly value: string;
  /** Whether the whole value stands in quotes, so that commas do not separate. */
  readonly isQuoted: boolean;
  readonly isUnclosed: boolean;
  readonly from: number;
  readonly to: number;
}

interface Read {
  readonly filter: {
    readonly types: Set<string>;
    readonly notTypes: Set<string>;
    readonly envs: Set<number>;
    readonly slots: Set<string>;
    readonly severities: Set<Severity>;
  };
  readonly named: ReadonlyMap<string, readonly string[]>;
  readonly texts: Word[];
}

const word = /(-?[A-Za-z_]+):(?:"((?:[^"\\]|\\.)*)("?)|(\S*))|"((?:[^"\\]|\\.)*)("?)|(\S+)/gy;

/** Splits what was typed. Within quotes, `\"` is a quote and `\\` a backslash, as in JSON. */
function* wordsOf(typed: string): Generator<Word> {
  let at = 0;
  while (at < typed.length) {
    if (/\s/.test(typed[at]!)) {
      at += 1;
      continue;
    }
    word.lastIndex = at;
    const found = word.exec(typed)!;
    const [whole, name, quotedValue, valueEnd, bareValue, quotedText, textEnd, bareText] = found;
    const inQuotes = quotedValue ?? quotedText;
    yield {
      name: name ?? null,
      value: inQuotes === undefined ? (bareValue ?? bareText ?? '') : unescaped(inQuotes),
      isQuoted: inQuotes !== undefined,
      isUnclosed: inQuotes !== undefined && (valueEnd ?? textEnd) === '',
      from: at,
      to: at + whole.length,
    };
    at += whole.length;
  }
}

function unescaped(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text.replace(/\\(.)/g, '$1');
  }
}

/** Takes a word into the filter. Returns what is wrong with it, or null. */
function readWord(typed: Word, { filter, named, texts }: Read): string | null {
  const { name, value, isQuoted } = typed;
  if (name === null) {
    if (!isQuoted && value.startsWith('-')) {
      return `Only types can be left out, as in -type:reward. To search for ${value}, put it in quotes: "${value}".`;
    }
    const last = texts.at(-1);
    if (last !== undefined && (last.isQuoted || isQuoted)) {
      return 'Only one text can be searched for. Put all of it into one pair of quotes.';
    }
    if (value !== '') texts.push(typed);
    return null;
  }
  const values = isQuoted ? [value] : value.split(',').filter((each) => each !== '');
  if (values.length === 0 || value === '') return `Write a value after ${name}:, as in ${exampleOf(name)}.`;
  for (const each of values) {
    const message = readValue(name.toLowerCase(), each, { filter, named, typed });
    if (message !== null) return message;
  }
  return null;
}

function readValue(
  name: string,
  value: string,
  { filter, named, typed }: Pick<Read, 'filter' | 'named'> & { typed: Word },
): string | null {
  switch (name) {
    case 'type':
    case '-type': {
      const types = typesNamed(value, named);
      if (types === null) return unknownType(value, named);
      const into = name === 'type' ? filter.types : filter.notTypes;
      for (const type of types) into.add(type);
      return null;
    }
    case 'env': {
      if (!/^e?\d{1,15}$/.test(value)) return `"${value}" is no environment. Write its number, as in env:2.`;
      filter.envs.add(Number(value.replace('e', '')));
      return null;
    }
    case 'slot': {
      if (value.includes(','))
        return 'A slot whose name has a comma cannot be asked for. Search for a part of it instead.';
      filter.slots.add(value);
      return null;
    }
    case 'severity': {
      const isExact = value.startsWith('=');
      const level = value.slice(isExact ? 1 : 0).toLowerCase() as Severity;
      const from = severities.indexOf(level);
      if (from < 0) return `"${value}" is no severity. Write one of ${severities.join(', ')}.`;
      for (const each of isExact ? [level] : severities.slice(from)) filter.severities.add(each);
      return null;
    }
    default: {
      if (name.startsWith('-') && ['env', 'slot', 'severity'].includes(name.slice(1))) {
        return 'Only types can be left out, as in -type:reward.';
      }
      const text = `${typed.name}:${typed.value}`;
      return `"${typed.name}:" is no filter. Write type:, env:, slot:, severity: or -type:, or put text in quotes: ${JSON.stringify(text)}.`;
    }
  }
}

function exampleOf(name: string): string {
  switch (name.toLowerCase()) {
    case 'env':
      return 'env:2';
    case 'slot':
      return 'slot:r0c1';
    case 'severity':
      return 'severity:warning';
    case '-type':
      return '-type:reward';
    default:
      return 'type:gate';
  }
}

function faultOf(
  filter: Record<'types' | 'notTypes' | 'envs' | 'slots', ReadonlySet<unknown>> & { text: string },
): string | null {
  if (filter.text.length > QUERY_CHARS_MAX) return `Search for at most ${QUERY_CHARS_MAX} letters.`;
  for (const values of [filter.types, filter.notTypes, filter.envs, filter.slots]) {
    if (values.size > FILTER_VALUES_MAX) return `Name at most ${FILTER_VALUES_MAX} of a kind.`;
  }
  return null;
}

/** A known type in full, else a name that the log shows, else a type in full that has not come yet. */
function typesNamed(value: string, named: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  for (const types of named.values()) if (types.length === 1 && types[0] === value) return types;
  return named.get(value.toLowerCase()) ?? (/^[A-Z][A-Z0-9_]{0,63}$/.test(value) ? [value] : null);
}

/** All names of types in lower case: in full, and as the log shows them. */
function typesByName(runTypes: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, readonly string[]>();
  for (const type of [...runTypes, ...knownTypes]) {
    if (isUnlogged(type) || type === OTHER_COUNT) continue;
    named.set(type.toLowerCase(), [type]);
    const short = shortNameOf(type).toLowerCase();
    named.set(short, [...new Set([...(named.get(short) ?? []), type])]);
  }
  for (const [name, types] of Object.entries(groups)) named.set(name, types);
  return named;
}

function isUnlogged(type: string): boolean {
  return (
    Object.hasOwn(eventTypes, type) && eventTypes[type as keyof typeof eventTypes].page.class === 'unlogged'
  );
}

const SUGGESTIONS_MAX = 8;

function unknownType(value: string, named: ReadonlyMap<string, readonly string[]>): string {
  const part = value.toLowerCase();
  const names = [...named.keys()].filter((name) => !name.includes('_'));
  const similar = names.filter((name) => name.startsWith(part[0] ?? '') || name.includes(part));
  const shown = (similar.length > 0 ? similar : names).slice(0, SUGGESTIONS_MAX);
  return `No event has the type "${value}". Write ${shown.join(', ')}, or a type in full, as it was sent.`;
}

function typeWords(name: 'type' | '-type', types: readonly string[]): string[] {
  let left = types;
  const words: string[] = [];
  const take = (short: string, of: readonly string[]) => {
    if (!of.every((type) => left.includes(type))) return;
    words.push(`${name}:${short}`);
    left = left.filter((type) => !of.includes(type));
  };
  for (const [short, of] of Object.entries(groups)) take(short, of);
  for (const [short, of] of shortNames) if (of.length > 1) take(short, of);
  // A name that means other types too does not do, nor one that is read only where the run's types are known.
  for (const type of left) {
    const short = shortNameOf(type).toLowerCase();
    words.push(`${name}:${shortNames.get(short)?.join() === type ? short : type}`);
  }
  return words;
}

const shortNames: ReadonlyMap<string, readonly string[]> = new Map(
  knownTypes.map((type) => {
    const short = shortNameOf(type);
    return [short.toLowerCase(), knownTypes.filter((other) => shortNameOf(other) === short)];
  }),
);

function severityWords(levels: readonly Severity[]): string[] {
  if (levels.length === 0) return [];
  const from = severities.indexOf(levels[0]!);
  const isAbove = severities.slice(from).every((severity) => levels.includes(severity));
  return isAbove ? [`severity:${levels[0]}`] : levels.map((severity) => `severity:=${severity}`);
}

function quoted(value: string): string {
  return /[\s",\\]/.test(value) ? JSON.stringify(value) : value;
}
