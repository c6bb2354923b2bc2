import { expect, it } from 'vitest';
import { shownOfAll } from './shown-of-all.ts';

const whole = { shown: 1_218, total: 4_011, isFiltered: false, isCatchingUp: false };

it.each([
  ['the end of a long log', {}, '1,218 of 4,011 events', 'scroll up for the rest'],
  ['a whole log', { shown: 4_011 }, '4,011 of 4,011 events', ''],
  ['a filtered log, whose other events do not match', { isFiltered: true }, '1,218 of 4,011 events', ''],
  ['a past state, whose log has more events than it counts', { shown: 5, total: 4 }, '4 of 4 events', ''],
  [
    'a log that waits for what was left out',
    { isCatchingUp: true },
    '1,218 of 4,011 events',
    'fetching what was left out …',
  ],
])('says of %s how much of it is there', (_of, overrides, counts, hint) => {
  expect(shownOfAll({ ...whole, ...overrides })).toEqual({ counts, hint });
});
