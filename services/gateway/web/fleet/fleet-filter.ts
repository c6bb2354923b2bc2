import type { IndexView } from '@runlog/client/index-channel';
import { QUERY_CHARS_MAX, WHERE_CONDITIONS_MAX } from '@runlog/schema/limits';
import type { RunState } from '@runlog/schema/run/snapshot';

/**
 * Which runs the table shows, as it is typed: `cluster:c1 state:failed,quiet task:cifar acc>80 missing>0 resnet`. All of it
 * must hold. Each word is a part of a run's key or task.
 */
export interface FleetFilter {
  readonly cluster: string | null;
  readonly task: string | null;
  readonly states: readonly RunState[];
  /** Conditions as the server reads them: `accuracy>80`. */
  readonly where: readonly string[];
  readonly words: string;
}

export interface FleetFilterFault {
  readonly kind: 'fault';
  /** A sentence that says what to write instead. */
  readonly message: string;
}

export type ParsedFleetFilter = { readonly kind: 'filter'; readonly filter: FleetFilter } | FleetFilterFault;

export const noFleetFilter: FleetFilter = { cluster: null, task: null, states: [], where: [], words: '' };

/** The states as they are typed; the first spelling is written. */
const stateNames: Readonly<Record<RunState, readonly string[]>> = {
  failed: ['failed'],
  lost_contact: ['lost', 'lost_contact', 'lost-contact'],
  quiet: ['quiet'],
  running: ['running'],
  finished: ['finished'],
};

/** The figures as they are typed; the first spelling is written. */
const figureNames = {
  accuracy: ['acc', 'accuracy'],
  reward: ['reward', 'rew'],
  events: ['events', 'ev'],
  missing: ['missing'],
  duplicates: ['dup', 'duplicates'],
  episode: ['ep', 'episode'],
  batch: ['round', 'batch'],
  attempt: ['attempt'],
} as const;

const condition = /^([a-z_]+)(>=|<=|>|<|=)(.*)$/i;
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?%?$/i;

/** Reads what was typed. */
export function parseFleetFilter(typed: string): ParsedFleetFilter {
  const filter = { ...noFleetFilter, states: [] as RunState[], where: [] as string[] };
  const words: string[] = [];
  for (const word of typed.split(/\s+/).filter((each) => each !== '')) {
    const message = readWord(word, { filter, words });
    if (message !== null) return { kind: 'fault', message };
  }
  if (filter.where.length > WHERE_CONDITIONS_MAX)
    return fault(`Ask for at most ${WHERE_CONDITIONS_MAX} figures.`);
  const text = words.join(' ');
  if (text.length > QUERY_CHARS_MAX) return fault(`Search for at most ${QUERY_CHARS_MAX} characters.`);
  return { kind: 'filter', filter: { ...filter, words: text } };
}

interface Writable {
  cluster: string | null;
  task: string | null;
  readonly states: RunState[];
  readonly where: string[];
}

/** Returns what is wrong with a word, or null. */
function readWord(word: string, { filter, words }: { filter: Writable; words: string[] }): string | null {
  const colon = word.indexOf(':');
  if (colon > 0) return readNamed(word.slice(0, colon).toLowerCase(), word.slice(colon + 1), filter);
  const [, name, operator, number] = condition.exec(word) ?? [];
  if (name === undefined || operator === undefined || number === undefined) {
    words.push(word);
    return null;
  }
  const field = fieldOf(name.toLowerCase());
  if (field === null) {
    const names = Object.values(figureNames).map(([first]) => first);
    return `There is no figure "${cut(name)}" to compare: there are ${names.join(', ')}.`;
  }
  if (!decimal.test(number)) return `Compare ${name} to a number: ${name}${operator}80.`;
  filter.where.push(`${field}${operator}${number.replace('%', '')}`);
  return null;
}

function readNamed(name: string, value: string, filter: Writable): string | null {
  switch (name) {
    case 'cluster':
    case 'task':
      if (value === '') return `Write what follows "${name}:" without a blank.`;
      if (value.length > QUERY_CHARS_MAX) return `A ${name} has at most ${QUERY_CHARS_MAX} characters here.`;
      if (filter[name] !== null) return `Ask for one ${name} only.`;
      filter[name] = value;
      return null;
    case 'state':
    case 'is': {
      for (const each of value.toLowerCase().split(',')) {
        const state = stateOf(each);
        if (state === null) {
          const names = Object.values(stateNames).map(([first]) => first);
          return `There is no state "${cut(each)}": there are ${names.join(', ')}.`;
        }
        if (!filter.states.includes(state)) filter.states.push(state);
      }
      return null;
    }
    default:
      return `There is nothing named "${cut(name)}:" to filter by: there are cluster:, state:, task: and figures such as acc>80.`;
  }
}

function stateOf(text: string): RunState | null {
  const found = Object.entries(stateNames).find(([, names]) => names.includes(text));
  return found === undefined ? null : (found[0] as RunState);
}

function fieldOf(name: string): string | null {
  const found = Object.entries(figureNames).find(([, names]) => (names as readonly string[]).includes(name));
  return found?.[0] ?? null;
}

/** Writes a filter so that `parseFleetFilter` reads the same one again. */
export function formatFleetFilter({ cluster, task, states, where, words }: FleetFilter): string {
  return [
    cluster === null ? '' : `cluster:${cluster}`,
    states.length === 0 ? '' : `state:${states.map((state) => stateNames[state][0]).join(',')}`,
    task === null ? '' : `task:${task}`,
    ...where.map(writtenCondition),
    words,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function writtenCondition(asked: string): string {
  const [, field = '', operator = '', number = ''] = condition.exec(asked) ?? [];
  const [name] = (figureNames as Readonly<Record<string, readonly string[]>>)[field] ?? [field];
  return `${name}${operator}${number}`;
}

/** What is asked of the server. It has no member for what does not matter. */
export function indexViewOf({ cluster, task, states, where, words }: FleetFilter): IndexView {
  return {
    ...(cluster !== null && { cluster }),
    ...(task !== null && { task }),
    ...(states.length > 0 && { status: [...states] }),
    ...(where.length > 0 && { where: [...where] }),
    ...(words !== '' && { q: words }),
  };
}

function fault(message: string): FleetFilterFault {
  return { kind: 'fault', message };
}

function cut(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
