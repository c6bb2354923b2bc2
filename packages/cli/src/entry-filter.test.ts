import { describe, expect, it } from 'vitest';
import { UsageError } from './command.ts';
import { entryFilterOf } from './entry-filter.ts';

describe('the filter of entries', () => {
  it('has what the options list, and nothing else', () => {
    expect(entryFilterOf({})).toEqual({});
    expect(
      entryFilterOf({
        ...{ type: 'NOTE,SEED_PRUNED', 'not-type': 'METRICS', env: '0,12', slot: 'r0c1' },
        ...{ severity: 'warning,error', text: 'a, b' },
      }),
    ).toEqual({
      ...{ type: ['NOTE', 'SEED_PRUNED'], not_type: ['METRICS'], env: [0, 12], slot: ['r0c1'] },
      ...{ severity: ['warning', 'error'], q: 'a, b' },
    });
  });

  it.each([
    [{ type: 'lower' }, 'type.0'],
    [{ 'not-type': '' }, 'not_type.0'],
    [{ env: '1,x' }, 'env.1'],
    [{ severity: 'loud' }, '"debug"|"info"'],
    [{ slot: 'a,' }, 'slot.1'],
    [{ text: '' }, '"q"'],
  ])('of %j is refused by name', (values, named) => {
    expect(() => entryFilterOf(values)).toThrow(UsageError);
    expect(() => entryFilterOf(values)).toThrow(named);
  });
});
