import fc from 'fast-check';
import { expect, it } from 'vitest';
import { figureOf } from '../../../../test/support/figure-factory.ts';
import { figuresCsv } from './figures-csv.ts';

const HEADER = 'name,bucket,x,t,first,last,min,max,count,attempt\r\n';

it('writes a line a bucket, and nothing where there is no value', () => {
  const figure = figureOf([0.1, null], { attempt: [1, 2] });
  expect(figuresCsv([figure])).toBe(
    `${HEADER}val_accuracy,0,0,1767484787000,0.1,0.1,0.1,0.1,1,1\r\nval_accuracy,1,10,1767484847000,,,,,1,2\r\n`,
  );
});

it('writes the names of columns only if there is no figure', () => {
  expect(figuresCsv([])).toBe(HEADER);
});

it.each([
  ['a,b', '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ['two\nlines', '"two\nlines"'],
  ['plain/name.1', 'plain/name.1'],
])('quotes the name %j', (name, quoted) => {
  expect(figuresCsv([figureOf([1], { name })]).slice(HEADER.length)).toMatch(
    new RegExp(`^${quoted.replace(/[.]/g, '\\.')},0,0,`),
  );
});

it('writes every number exactly', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const line = figuresCsv([figureOf([value])]).split('\r\n')[1]!;
      expect(Number(line.split(',')[5])).toBe(value + 0);
    }),
    { numRuns: 2_000 },
  );
});
