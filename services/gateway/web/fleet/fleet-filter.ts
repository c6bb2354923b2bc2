import { QUERY_CHARS_MAX, WHERE_CONDITIONS_MAX } from '@runlog/schema/limits';
import { runStatesByNeed } from '@runlog/schema/run/run-sorting';
import type { RunWhereField } from '@runlog/schema/run/run-where';
import type { RunState } from '@runlog/schema/run/snapshot';

/**
 * The grammar of the fleet's filter: `cluster:c1 state:failed,quiet task:cifar acc>80 missing>0`, and words, each of
 * which is a part of a run's name or task. What has blanks stands in quotation marks: `task:"tiny stories"`.
 */

/** Which runs are wanted, as the server is asked for them. */
export interface FleetFilter {
  /** Words with a blank between them, each a part of the key or of the task. Empty: any. */
  readonly q: string;
  readonly cluster: string | null;
  /** A part of the task. */
  readonly task: string | null;
  /** Empty: any. */
  readonly states: readonly RunState[];
  /** Conditions such as `accuracy>80`. */
  readonly where: readonly string[];
}

/** What was typed, as far as it is understood, and what is wrong with the first part that is not. */
export interface ParsedFilter {
  readonly filter: FleetFilter;
  readonly fault: string | null;
}

/** The figures that can be compared, each with the shorter names that are understood too. */
export const figureNames: Readonly<Record<RunWhereField, readonly string[]>> = {
  accuracy: ['acc'],
  reward: ['rew'],
  events: ['ev'],
  missing: ['miss'],
  duplicates: ['dup'],
  episode: ['ep'],
  batch: ['round'],
  attempt: [],
};

const stateAliases: Readonly<Record<string, RunState>> = {
  lost: 'lost_contact',
  'lost-contact': 'lost_contact',
};
const STATES = runStatesByNeed.map((state) => (state === 'lost_contact' ? 'lost' : state)).join(', ');
const FIGURES = Object.entries(figureNames)
  .map(([name, [short]]) => short ?? name)
  .join(', ');

/** A part with its quotation marks. A mark that is not closed yet quotes the rest. */
const part = /(?:[^\s"]|"[^"]*(?:"|$))+/g;
const condition = /^([^<>=":]*)(>=|<=|>|<|=)(.*)$/s;
const option = /^([^":]*):(.*)$/s;

/** Reads a filter. It never throws. */
export function parseFleetFilter(typed: string): ParsedFilter {
  const read = new FilterReader();
  for (const [text] of typed.matchAll(part)) read.part(text);
  return read.parsed;
}

/** Returns the filter with these states instead of those that it names. Everything else stays as it was typed. */
export function withStates(typed: string, states: readonly RunState[]): string {
  const named = states.map((state) => (state === 'lost_contact' ? 'lost' : state)).join(',');
  return joined(named === '' ? '' : `state:${named}`, without(typed, isStatePart));
}

/** Returns the filter with or without the condition that events are missing. */
export function withMissing(typed: string, isWanted: boolean): string {
  return joined(without(typed, isMissingPart), isWanted ? 'missing>0' : '');
}

/** Whether the filter asks for runs that miss events. */
export function wantsMissing({ where }: FleetFilter): boolean {
  return where.includes(MISSING);
}

/** The condition of runs that miss events. */
export const MISSING = 'missing>0';

const isStatePart = (text: string) => /^(state|status|is):/i.test(text);
const isMissingPart = (text: string) => {
  const { filter } = parseFleetFilter(text);
  return filter.where.length === 1 && wantsMissing(filter);
};

function without(typed: string, isUnwanted: (text: string) => boolean): string {
  return [...typed.matchAll(part)]
    .map(([text]) => text)
    .filter((text) => !isUnwanted(text))
    .join(' ');
}

const joined = (...parts: readonly string[]) => parts.filter((text) => text !== '').join(' ');

class FilterReader {
  readonly #words: string[] = [];
  readonly #states = new Set<RunState>();
  readonly #where: string[] = [];
  #cluster: string | null = null;
  #task: string | null = null;
  #fault: string | null = null;

  get parsed(): ParsedFilter {
    const q = this.#words.join(' ');
    if (q.length > QUERY_CHARS_MAX)
      this.#note(`The words have at most ${QUERY_CHARS_MAX} characters together.`);
    return {
      filter: {
        ...{ q: q.slice(0, QUERY_CHARS_MAX), cluster: this.#cluster, task: this.#task },
        ...{ states: [...this.#states], where: this.#where },
      },
      fault: this.#fault,
    };
  }

  part(text: string): void {
    if (text.startsWith('"')) {
      this.#word(text);
      return;
    }
    const [, name, value] = option.exec(text) ?? [];
    if (name !== undefined && value !== undefined) {
      this.#option(name, unquoted(value));
      return;
    }
    const [, figure, operator, number] = condition.exec(text) ?? [];
    if (figure === undefined) this.#word(text);
    else this.#condition({ name: figure, operator: operator!, number: number! });
  }

  #word(text: string): void {
    const word = unquoted(text);
    if (word !== '') this.#words.push(word);
  }

  #option(name: string, value: string): void {
    if (value.length > QUERY_CHARS_MAX) {
      this.#note(`What follows "${cut(name)}:" has at most ${QUERY_CHARS_MAX} characters.`);
      return;
    }
    switch (name.toLowerCase()) {
      case 'cluster':
        if (value === '') this.#note('cluster: needs the name of a cluster, such as cluster:c1.');
        else if (this.#cluster !== null && this.#cluster !== value)
          this.#note('A run is in one cluster only: name one.');
        else this.#cluster = value;
        return;
      case 'task':
        if (value === '') this.#note('task: needs a part of the task, such as task:cifar.');
        else if (this.#task !== null && this.#task !== value)
          this.#note('One part of the task can be asked for.');
        else this.#task = value;
        return;
      case 'state':
      case 'status':
      case 'is':
        this.#readStates(value);
        return;
      default:
        this.#note(`There is no "${cut(name)}:" to filter by; there are cluster:, state: and task:.`);
    }
  }

  #readStates(value: string): void {
    for (const each of value.split(',')) {
      const name = each.toLowerCase();
      const state = stateAliases[name] ?? runStatesByNeed.find((known) => known === name);
      if (state !== undefined) this.#states.add(state);
      else if (name === '') this.#note(`state: needs a state: ${STATES}.`);
      else this.#note(`There is no state "${cut(each)}"; there are ${STATES}.`);
    }
  }

  #condition({ name, operator, number }: { name: string; operator: string; number: string }): void {
    const field = figureOf(name);
    const value = number.replace(/%$/, '');
    if (field === null) this.#note(`There is no figure "${cut(name)}" to compare; there are ${FIGURES}.`);
    else if (value === '') this.#note(`${name}${operator} needs a number, such as ${name}${operator}80.`);
    else if (!isNumber(value))
      this.#note(`"${cut(number)}" is not a number, to which ${name} can be compared.`);
    else if (this.#where.length >= WHERE_CONDITIONS_MAX)
      this.#note(`A filter has at most ${WHERE_CONDITIONS_MAX} conditions.`);
    else this.#where.push(`${field}${operator}${value}`);
  }

  #note(fault: string): void {
    this.#fault ??= fault;
  }
}

function figureOf(name: string): string | null {
  const asked = name.toLowerCase();
  const found = Object.entries(figureNames).find(
    ([field, short]) => field === asked || short.includes(asked),
  );
  return found?.[0] ?? null;
}

/** The server's rule (schema, run-where.ts), with the length that it takes. */
function isNumber(text: string): boolean {
  return (
    text.length <= 32 && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
  );
}

/** What is told of something long. */
const cut = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
const unquoted = (text: string) => text.replaceAll('"', '').trim();
