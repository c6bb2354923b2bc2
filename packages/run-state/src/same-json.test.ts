import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sameJson } from './same-json.ts';

it('finds equal what is equal as JSON, and nothing else', () => {
  const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
  // Values that are unrelated are hardly ever equal, so one in two is a copy, and one in three nearly a copy.
  const pair = fc.oneof(
    fc.tuple(json, json),
    json.map((value) => [value, JSON.parse(JSON.stringify(value))] as const),
    fc.tuple(json, json).map(
      ([value, other]) =>
        [
          [1, value, { a: value }],
          [1, value, { a: other }],
        ] as const,
    ),
  );
  fc.assert(
    fc.property(pair, ([left, right]) => {
      const [plainLeft, plainRight] = [left, right].map((value) => JSON.parse(JSON.stringify(value)));
      expect(sameJson(plainLeft, plainRight)).toBe(isDeepStrictEqual(plainLeft, plainRight));
      expect(sameJson(plainRight, plainLeft)).toBe(sameJson(plainLeft, plainRight));
    }),
  );
});

it.each([
  [[1, 2], { 0: 1, 1: 2 }],
  [{}, []],
  [{}, null],
  [{ a: null }, {}],
  [{ a: 1 }, { b: 1 }],
  ['1', 1],
])('tells %j from %j', (left, right) => {
  expect(sameJson(left, right)).toBe(false);
});
