import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOf } from './event-identity.ts';
import { HashCounts } from './hash-counts.ts';

test('keeps the newest number beside each hash, also of hashes that share a slot, while it grows', () => {
  const half = fc.oneof(fc.constantFrom(0, 1, 1_024, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
  const entry = fc.tuple(fc.record({ high: half, low: half }), fc.integer({ min: 1, max: 0xffff_ffff }));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 2_000 }), (entries) => {
      const counts = new HashCounts();
      const expected = new Map<string, number>();
      for (const [hash, value] of entries) {
        counts.set(hash, value);
        expected.set(`${hash.high}:${hash.low}`, value);
      }
      for (const [{ high, low }] of entries) {
        expect(counts.get({ high, low })).toBe(expected.get(`${high}:${low}`));
      }
    }),
    { numRuns: 20 },
  );
});

test('tells a hundred thousand texts apart', () => {
  const counts = new HashCounts();
  for (let at = 0; at < 100_000; at += 1) counts.set(hashOf(`event ${at}`), at + 1);
  for (let at = 0; at < 100_000; at += 7) expect(counts.get(hashOf(`event ${at}`))).toBe(at + 1);
  expect(counts.get(hashOf('another'))).toBe(0);
});
