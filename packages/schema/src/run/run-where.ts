import { z } from 'zod';
import { WHERE_CHARS_MAX, WHERE_CONDITIONS_MAX } from '../limits.ts';
import type { RunRow } from './snapshot.ts';

/** The figures that a condition can compare. Rows and heads both have them. */
export type ComparableRun = Pick<
  RunRow,
  | 'batch_avg_accuracy'
  | 'batch_avg_reward'
  | 'total_events_received'
  | 'missing'
  | 'duplicates'
  | 'current_episode'
  | 'current_batch'
  | 'attempt'
>;

const fields = {
  accuracy: (run) => run.batch_avg_accuracy,
  reward: (run) => run.batch_avg_reward,
  events: (run) => run.total_events_received,
  missing: (run) => run.missing,
  duplicates: (run) => run.duplicates,
  episode: (run) => run.current_episode,
  batch: (run) => run.current_batch,
  attempt: (run) => run.attempt,
} as const satisfies Record<string, (run: ComparableRun) => number | null>;

const operators = {
  '>': (held, asked) => held > asked,
  '>=': (held, asked) => held >= asked,
  '<': (held, asked) => held < asked,
  '<=': (held, asked) => held <= asked,
  '=': (held, asked) => held === asked,
} as const satisfies Record<string, (held: number, asked: number) => boolean>;

export type RunWhereField = keyof typeof fields;
export type RunWhereOperator = keyof typeof operators;
export const runWhereFields = Object.keys(fields) as readonly RunWhereField[];
export const runWhereOperators = Object.keys(operators) as readonly RunWhereOperator[];

/** One condition of `where`, such as `accuracy>80`. */
export interface RunWhere {
  readonly field: RunWhereField;
  readonly operator: RunWhereOperator;
  readonly value: number;
}

/** Parses a condition, or says what is wrong with it and what is allowed. */
export function parseRunWhere(text: string): RunWhere | { readonly fault: string } {
  if (text.length > WHERE_CHARS_MAX)
    return { fault: `a condition has at most ${WHERE_CHARS_MAX} characters` };
  const [, name, operator, number] = /^([^<>=]*)(>=|<=|>|<|=)(.*)$/s.exec(text) ?? [];
  if (name === undefined || operator === undefined || number === undefined) {
    return {
      fault: `"${text}" compares nothing: a condition is a field, one of ${runWhereOperators.join(' ')} and a number, such as accuracy>80`,
    };
  }
  const field = name.trim();
  if (!Object.hasOwn(fields, field)) {
    return { fault: `there is no field "${field}" to compare; there are ${runWhereFields.join(', ')}` };
  }
  const value = numberOf(number.trim());
  if (value === null) return { fault: `"${number.trim()}" is not a number, to which ${field} is compared` };
  return { field: field as RunWhereField, operator: operator as RunWhereOperator, value };
}

/** Returns null if the text is no decimal number, or if it is beyond all numbers. */
function numberOf(text: string): number | null {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return null;
  const value = Number(text);
  // -0 is 0, as it is in JSON.
  return Number.isFinite(value) ? value + 0 : null;
}

/** How conditions are written, for the documents. Spaces around each part are read too. */
const WRITTEN = `^(${runWhereFields.join('|')})(>=|<=|>|<|=)[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$`;

/** One condition as text. */
export const runWhereSchema = z
  .string()
  .max(WHERE_CHARS_MAX, { abort: true })
  .superRefine((text, context) => {
    const parsed = parseRunWhere(text);
    if ('fault' in parsed) context.addIssue({ code: 'custom', message: parsed.fault });
  })
  .meta({ pattern: WRITTEN });

/** The conditions of a query or a subscription. A run must meet all of them. */
export const runWheresSchema = z.array(runWhereSchema).min(1).max(WHERE_CONDITIONS_MAX);

/** Conditions that were parsed. */
export interface CompiledWhere {
  /** Is the same for conditions that mean the same, whatever their order and spelling. */
  readonly name: string;
  /** A figure that is not known meets no condition. */
  readonly test: (run: ComparableRun) => boolean;
}

/** Compiles conditions that `runWhereSchema` has judged. Returns null if there are none. */
export function compileWhere(texts: readonly string[] | null | undefined): CompiledWhere | null {
  if (texts == null || texts.length === 0) return null;
  const conditions = texts.map((text) => {
    const parsed = parseRunWhere(text);
    if ('fault' in parsed) throw new Error(parsed.fault);
    return parsed;
  });
  const tests = conditions.map(({ field, operator, value }) => {
    const [figureOf, compare] = [fields[field], operators[operator]];
    return (run: ComparableRun) => {
      const held = figureOf(run);
      return held !== null && compare(held, value);
    };
  });
  const names = conditions.map(({ field, operator, value }) => `${field}${operator}${value}`);
  return {
    name: [...new Set(names)].sort().join(' '),
    test: (run) => tests.every((test) => test(run)),
  };
}
