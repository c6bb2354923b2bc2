import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexRow } from '../../../../test/support/index-factory.ts';
import { WHERE_CHARS_MAX } from '../limits.ts';
import {
  compileWhere,
  parseRunWhere,
  runWhereFields,
  runWhereOperators,
  runWhereSchema,
} from './run-where.ts';

describe('a condition', () => {
  it.each([
    ['accuracy>80', { field: 'accuracy', operator: '>', value: 80 }],
    ['accuracy>=80.5', { field: 'accuracy', operator: '>=', value: 80.5 }],
    [' reward < -1e-3 ', { field: 'reward', operator: '<', value: -0.001 }],
    ['missing<=0', { field: 'missing', operator: '<=', value: 0 }],
    ['attempt=+2', { field: 'attempt', operator: '=', value: 2 }],
    ['events>.5', { field: 'events', operator: '>', value: 0.5 }],
  ])('%j is read', (text, expected) => {
    expect(parseRunWhere(text)).toEqual(expected);
    expect(runWhereSchema.safeParse(text).success).toBe(true);
  });

  it('is read if it is written as the documents say', () => {
    const { pattern } = runWhereSchema.meta() as { pattern: string };
    fc.assert(
      fc.property(fc.stringMatching(new RegExp(pattern)), (text) => {
        fc.pre(text.length <= WHERE_CHARS_MAX);
        expect(runWhereSchema.safeParse(text).error).toBeUndefined();
      }),
    );
  });

  it.each([
    ['accuracy', '"accuracy" compares nothing: a condition is a field, one of > >= < <= = and a number'],
    ['', 'compares nothing'],
    ['acc>80', 'there is no field "acc" to compare; there are accuracy, reward, events, missing'],
    ['>80', 'there is no field ""'],
    ['constructor>1', 'there is no field "constructor"'],
    ['=>80', 'there is no field ""'],
    ['accuracy>', '"" is not a number'],
    ['accuracy==80', '"=80" is not a number'],
    ['accuracy>80%', '"80%" is not a number, to which accuracy is compared'],
    ['accuracy>NaN', '"NaN" is not a number'],
    ['accuracy>0x10', '"0x10" is not a number'],
    ['accuracy>1e999', '"1e999" is not a number'],
    ['accuracy>1 2', '"1 2" is not a number'],
    [`accuracy>${'1'.repeat(64)}`, 'at most 64 characters'],
  ])('%j is refused, and what is allowed is said', (text, fault) => {
    expect(parseRunWhere(text)).toEqual({ fault: expect.stringContaining(fault) as unknown });
    expect(runWhereSchema.safeParse(text).success).toBe(false);
  });

  it('means what its operator says of any numbers', () => {
    const operator = fc.constantFrom(...runWhereOperators);
    const number = fc.constantFrom(-1, 0, 0.5, 1, 99);
    fc.assert(
      fc.property(operator, number, number, (sign, held, asked) => {
        const { test } = compileWhere([`accuracy${sign}${asked}`])!;
        const [isLess, isEqual] = [held < asked, held === asked];
        const expected = { '<': isLess, '=': isEqual, '>': !isLess && !isEqual };
        const means = [...sign].some((part) => expected[part as '<' | '=' | '>']);
        expect(test(indexRow({ batch_avg_accuracy: held }))).toBe(means);
      }),
    );
  });
});

describe('conditions', () => {
  it('must all be met', () => {
    const { test } = compileWhere(['batch>3', 'missing=0'])!;
    expect(test(indexRow({ current_batch: 4 }))).toBe(true);
    expect(test(indexRow({ current_batch: 4, missing: 1 }))).toBe(false);
    expect(test(indexRow({ current_batch: 3 }))).toBe(false);
  });

  it('are never met by a figure that is not known', () => {
    for (const operator of runWhereOperators) {
      expect(compileWhere([`accuracy${operator}0`])!.test(indexRow({ batch_avg_accuracy: null }))).toBe(
        false,
      );
    }
  });

  it('compare each figure of a row', () => {
    const row = indexRow({
      ...{ batch_avg_accuracy: 1, batch_avg_reward: 2, total_events_received: 3, missing: 4 },
      ...{ duplicates: 5, current_episode: 6, current_batch: 7, attempt: 8 },
    });
    for (const [at, field] of runWhereFields.entries()) {
      expect(compileWhere([`${field}=${at + 1}`])!.test(row)).toBe(true);
    }
  });

  it('have the same name if they mean the same', () => {
    expect(compileWhere(['missing>0', 'batch >= 1.0', 'batch>=1'])?.name).toBe('batch>=1 missing>0');
    expect(compileWhere([])).toBeNull();
    expect(compileWhere(undefined)).toBeNull();
  });
});
