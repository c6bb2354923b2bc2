import { eventTypes, shortNameOf } from '@runlog/schema/events/event-types';

/** What a run has, so that it can be filtered by. */
export interface FilterValues {
  /** The event types that occurred. */
  readonly types: readonly string[];
  /** The number of environments. */
  readonly envs: number;
  readonly slots: readonly string[];
}

/** A word that may stand at the caret instead of what was typed there. */
export interface Suggestion {
  readonly word: string;
  readonly says: string;
}

/** The word at the caret by its places in the text, and what may stand there. */
export interface Suggested {
  readonly from: number;
  readonly to: number;
  readonly items: readonly Suggestion[];
}

const ITEMS_MAX = 10;
const ENVS_MAX = 64;

const keys: readonly Suggestion[] = [
  { word: 'type:', says: 'only these events' },
  { word: '-type:', says: 'all but these events' },
  { word: 'env:', says: 'one environment' },
  { word: 'slot:', says: 'one seed slot' },
  { word: 'severity:', says: 'that severity and above' },
];

/** Suggests what the word at the caret may become: a name, or a value that the run has. Within quotes nothing is suggested. */
export function suggestionsAt(typed: string, caret: number, values: FilterValues): Suggested {
  const before = typed.slice(0, caret);
  const from = before.search(/\S*$/);
  const to = caret + typed.slice(caret).search(/\s|$/);
  const isInQuotes = (before.match(/"/g)?.length ?? 0) % 2 === 1;
  if (isInQuotes) return { from, to, items: [] };
  const word = before.slice(from);
  const found = wordsFor(word, values).filter((each) => each.word.toLowerCase() !== word.toLowerCase());
  return { from, to, items: found.slice(0, ITEMS_MAX) };
}

/** Puts a suggestion in the place of the word. What it names goes on at the caret, else the next word begins. */
export function withSuggestion(
  typed: string,
  { from, to }: Pick<Suggested, 'from' | 'to'>,
  { word }: Suggestion,
): { readonly typed: string; readonly caret: number } {
  const rest = typed.slice(to).trimStart();
  const isKey = word.endsWith(':');
  const put = isKey && rest === '' ? word : `${word} `;
  return { typed: typed.slice(0, from) + put + rest, caret: from + word.length + (isKey ? 0 : 1) };
}

function wordsFor(word: string, values: FilterValues): readonly Suggestion[] {
  const colon = word.indexOf(':');
  if (colon < 0) {
    const part = word.toLowerCase();
    const named = keys.filter((key) => key.word.startsWith(part));
    if (part === '') return named;
    const types = typeNames(values.types).filter(({ word: name }) => name.startsWith(part));
    return [...named, ...types.map(({ word: name, says }) => ({ word: `type:${name}`, says }))];
  }
  // Values of one name may stand behind each other, with commas between them.
  const valueFrom = Math.max(colon, word.lastIndexOf(',')) + 1;
  const part = word.slice(valueFrom).toLowerCase();
  return valuesOf(word.slice(0, colon).toLowerCase(), values)
    .filter((value) => value.word.toLowerCase().startsWith(part))
    .map(({ word: value, says }) => ({ word: word.slice(0, valueFrom) + value, says }));
}

function valuesOf(key: string, { types, envs, slots }: FilterValues): readonly Suggestion[] {
  switch (key) {
    case 'type':
    case '-type':
      return typeNames(types);
    case 'env':
      return Array.from({ length: Math.min(envs, ENVS_MAX) }, (_, env) => ({ word: `${env}`, says: '' }));
    case 'slot':
      return slots.filter((slot) => /^[^\s",\\]+$/.test(slot)).map((slot) => ({ word: slot, says: '' }));
    case 'severity':
      return [
        { word: 'warning', says: 'and above' },
        { word: 'error', says: 'and above' },
        { word: 'critical', says: '' },
        { word: '=warning', says: 'that alone' },
        { word: 'debug', says: 'and above: all' },
      ];
    default:
      return [];
  }
}

/** The names of the types that occurred as the log shows them, with those that mean several. */
function typeNames(types: readonly string[]): readonly Suggestion[] {
  const names = new Map<string, string[]>();
  for (const type of types) {
    if (type === 'other' || isUnlogged(type)) continue;
    const name = shortNameOf(type).toLowerCase();
    names.set(name, [...(names.get(name) ?? []), type]);
  }
  const single = [...names].map(([word, of]) => ({ word, says: of.join(', ') }));
  const seeds = types.some((type) => type.startsWith('SEED_'))
    ? [{ word: 'lifecycle', says: 'all of the seeds' }]
    : [];
  return [...seeds, ...single.sort((one, other) => (one.word < other.word ? -1 : 1))];
}

function isUnlogged(type: string): boolean {
  return (
    Object.hasOwn(eventTypes, type) && eventTypes[type as keyof typeof eventTypes].page.class === 'unlogged'
  );
}
