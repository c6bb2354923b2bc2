import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockOf, instantOf, timestampPattern } from './instant.ts';

const ms = (text: string) => Date.parse(text);

describe('an instant', () => {
  it.each([
    ['2026-01-03T23:59:47+00:00', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03T23:59:47z', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03t23:59:47Z', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03 23:59:47.5Z', ms('2026-01-03T23:59:47.500Z')],
    ['2026-01-03 23:59:47+0000', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03T23:59:47+00', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03T23:59:47-00:00', ms('2026-01-03T23:59:47Z')],
    ['2026-01-03T23:59:47+05:30', ms('2026-01-03T18:29:47Z')],
    ['2026-01-03T23:59:47-0530', ms('2026-01-04T05:29:47Z')],
    ['2026-01-03T23:59:47-05', ms('2026-01-04T04:59:47Z')],
    ['2026-01-03T23:59:47.123456789Z', ms('2026-01-03T23:59:47.123Z')],
    ['2026-01-03T23:59:47,123Z', ms('2026-01-03T23:59:47.123Z')],
    ['2026-01-03T23:59Z', ms('2026-01-03T23:59:00Z')],
    ['2026-01-03T24:00:00Z', ms('2026-01-04T00:00:00Z')],
    ['20260103T235947.25+0100', ms('2026-01-03T22:59:47.250Z')],
    ['2024-02-29T00:00:00Z', ms('2024-02-29T00:00:00Z')],
    ['20240229 0000-01', ms('2024-02-29T01:00:00Z')],
    ['2000-02-29T00:00:00Z', ms('2000-02-29T00:00:00Z')],
    ['0001-01-01T00:00:00Z', ms('0001-01-01T00:00:00Z')],
    ['0000-01-01T00:00:00+14:00', ms('-000001-12-31T10:00:00Z')],
    ['9999-12-31T23:59:59-12:00', ms('+010000-01-01T11:59:59Z')],
    [`2026-01-03T23:59:47.${'1'.repeat(32)}+00:00`, ms('2026-01-03T23:59:47.111Z')],
  ])('of %j is %d', (text, instant) => {
    expect(instantOf(text)).toBe(instant);
    expect(timestampPattern.test(text)).toBe(true);
  });

  it.each([
    '2026-01-03T23:59:47',
    '2026-01-03',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-00-03T00:00:00Z',
    '2026-13-03T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-03T24:00:01Z',
    '2026-01-03T24:00:00.5Z',
    '2026-01-03T25:00:00Z',
    '2026-01-03T23:60:00Z',
    '2026-01-03T23:59:60Z',
    '2026-01-03T23:59:47+24:00',
    '2026-01-03T23:59:47+00:60',
    '2026-01-03T23:59:47 UTC',
    '2026-01-03T23:59:47+00:00[UTC]',
    '2026-01-03T23:59:47.+00:00',
    '2026-01-03T23:59:47.Z',
    '2026-01-03T23:59:47.1x2Z',
    '2026-01-03T23:59:47.12345xZ',
    `2026-01-03T23:59:47.${'1'.repeat(33)}Z`,
    '2026-01-03T235947Z',
    '20260103T23:59:47Z',
    '2026-0103T23:59:47Z',
    '+002026-01-03T23:59:47Z',
    '1767484787',
    '2026-01-03T23:59:47Z\n',
    '٢٠٢٦-01-03T23:59:47Z',
    'yesterday',
    'Z',
    '',
  ])('is not in %j', (text) => {
    expect(instantOf(text)).toBeNaN();
    expect(timestampPattern.test(text)).toBe(false);
  });

  it('is what Date.parse reads in the form that it knows', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const iso = date.toISOString();
        if (iso.length === 24) {
          expect(instantOf(iso)).toBe(date.getTime());
          expect(instantOf(iso.replace('Z', '999+00:00'))).toBe(date.getTime());
          expect(instantOf(iso.replace('Z', '+05:30'))).toBe(ms(iso.replace('Z', '+05:30')));
        }
        expect(clockOf(date.getTime())).toBe(iso.slice(-13, -5));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is in a text exactly if the pattern accepts it', () => {
    const part = fc.oneof(
      fc.constantFrom('2026-01-03', '20260103', '2024-02-29', '2023-02-29', '0000-12-31', 'T', 't', ' ', ''),
      fc.constantFrom('23:59:47', '235947', '24:00', '24:00:00', '2400', '23:59', '.5', ',5', '.123456', '.'),
      fc.constantFrom('Z', 'z', '+00:00', '-0000', '+23', '+24', '-12:30', '+1', '0', '\n'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const text = parts.join('');
        expect([text, Number.isNaN(instantOf(text))]).toEqual([text, !timestampPattern.test(text)]);
      }),
      { numRuns: 20_000 },
    );
  });

  it('is in a common text that was changed in one place exactly if the pattern accepts it', () => {
    const base = fc.constantFrom(
      '2026-01-03T23:59:47.900000+00:00',
      '2024-02-29T09:08:07Z',
      '0099-12-31T00:00:00.1Z',
    );
    const character = fc.constantFrom(...'0123456789:-+.,TtZz ٣x\n');
    fc.assert(
      fc.property(base, fc.nat(31), character, fc.boolean(), (text, at, changed, inserts) => {
        const other = text.slice(0, at) + changed + text.slice(inserts ? at : at + 1);
        expect([other, Number.isNaN(instantOf(other))]).toEqual([other, !timestampPattern.test(other)]);
      }),
      { numRuns: 20_000 },
    );
  });
});
