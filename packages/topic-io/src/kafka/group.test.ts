import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOut } from './group.ts';

describe('shareOut', () => {
  it('gives every partition to exactly one member, evenly, in whatever order the members are named', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 10 }),
        (count, memberIds) => {
          const partitions = Array.from({ length: count }, (_, partition) => partition);
          const shares = shareOut({ partitions, memberIds });
          expect(shares.flatMap((share) => share.partitions).sort((a, b) => a - b)).toEqual(partitions);
          const sizes = shares.map((share) => share.partitions.length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          const reversed = { partitions: [...partitions].reverse(), memberIds: [...memberIds].reverse() };
          expect(shareOut(reversed)).toEqual(shares);
        },
      ),
    );
  });
});
