import { describe, expect, it } from 'vitest';
import { murmur2, partitionOf } from './partitioner.ts';

describe('murmur2', () => {
  // The values are from Apache Kafka's own UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('gives a partition in range for any key', () => {
    for (const key of ['', 'c1/r1/default', 'ü/ß/✓', 'x'.repeat(1000)]) {
      const partition = partitionOf(key, 12);
      expect(partition).toBeGreaterThanOrEqual(0);
      expect(partition).toBeLessThan(12);
    }
  });
});
