import { describe, expect, it } from 'vitest';
import { suggestionsAt, withSuggestion } from './filter-suggestions.ts';

const values = {
  types: ['SEED_GERMINATED', 'SEED_GATE_EVALUATED', 'EPOCH_COMPLETED', 'RUN_HEARTBEAT', 'other'],
  envs: 3,
  slots: ['r0c0', 'r0c1', 'two words'],
};
const words = (typed: string, caret = typed.length) =>
  suggestionsAt(typed, caret, values).items.map(({ word }) => word);

describe('suggestions of the filter', () => {
  it.each([
    ['', ['type:', '-type:', 'env:', 'slot:', 'severity:']],
    ['s', ['slot:', 'severity:']],
    ['g', ['type:gate', 'type:germ']],
    ['type:', ['type:lifecycle', 'type:epoch', 'type:gate', 'type:germ']],
    ['type:gate,e', ['type:gate,epoch']],
    ['-type:GE', ['-type:germ']],
    ['env:', ['env:0', 'env:1', 'env:2']],
    ['slot:r0c1', []],
    ['slot:', ['slot:r0c0', 'slot:r0c1']],
    ['severity:e', ['severity:error']],
    ['nothing:', []],
    ['"type:', []],
  ])('for %j are %j', (typed, expected) => {
    expect(words(typed)).toEqual(expected);
  });

  it('are for the word at the caret, and take its place', () => {
    const typed = 'en type:gate';
    const suggested = suggestionsAt(typed, 2, values);
    expect(suggested).toMatchObject({ from: 0, to: 2, items: [{ word: 'env:' }] });
    expect(withSuggestion(typed, suggested, suggested.items[0]!)).toEqual({
      typed: 'env: type:gate',
      caret: 4,
    });
    const value = suggestionsAt('env:2 type:ga', 13, values);
    expect(withSuggestion('env:2 type:ga', value, value.items[0]!)).toEqual({
      typed: 'env:2 type:gate ',
      caret: 16,
    });
  });
});
