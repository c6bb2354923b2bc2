import { expect, it } from 'vitest';
import { contentHash, entityTag, isHeldBy } from './entity-tag.ts';

it.each([
  [undefined, false],
  ['', false],
  ['W/"e1.5"', true],
  ['"e1.5"', true],
  ['W/"e1.50"', false],
  ['"other", W/"e1.5"', true],
  ['*', true],
  ['e1.5', false],
])('a client that sends If-None-Match %s holds W/"e1.5": %s', (sent, held) => {
  expect(isHeldBy(sent, entityTag('e1.5'))).toBe(held);
});

it('names other content by another hash', () => {
  expect(contentHash('a')).toMatch(/^[\da-f]{16}$/);
  expect(contentHash('a')).not.toBe(contentHash('b'));
});
