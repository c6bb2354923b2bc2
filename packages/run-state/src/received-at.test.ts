import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReceivedAt } from './received-at.ts';

/** One after the other, since what was parsed before is remembered. */
function judgedAlike(texts: readonly string[]): void {
  for (const text of texts) expect([text, parseReceivedAt(text)]).toEqual([text, Date.parse(text)]);
}

describe('the time in a record', () => {
  it('is what Date.parse says, whatever was parsed before', () => {
    const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    const near = fc.integer({ min: 0, max: 130_000 }).map((ms) => new Date(1.7e12 + ms).toISOString());
    const broken = fc
      .tuple(near, fc.nat(23), fc.constantFrom(...'0123456789Z.:-T+ x'))
      .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1));
    fc.assert(
      fc.property(fc.array(fc.oneof(near, time, broken, fc.string()), { maxLength: 20 }), judgedAlike),
    );
  });

  it('is judged as Date.parse does at the edges of a day, a month and a minute', () => {
    judgedAlike([
      '2026-02-28T23:59:59.999Z',
      '2026-02-30T10:00:01.000Z',
      '2026-02-31T10:00:01.000Z',
      '2026-01-03T24:00:00.000Z',
      '2026-01-03T24:00:00.001Z',
      '2026-01-03T23:60:00.000Z',
      '2026-01-03T23:59:60.000Z',
      '2026-01-03T23:59:5:.000Z',
      '2026-13-01T00:00:00.000Z',
      '-00202-01-03T00:00:00.00',
      '2026-01-03T23:59:47,900Z',
      '2026-01-03 23:59:47.900Z',
      '',
    ]);
  });
});
