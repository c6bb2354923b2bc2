import type { HeldShare } from '@runlog/schema/log/held-share';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOLDS_NOTHING, shareOut } from './share-out.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

const heldShare: fc.Arbitrary<HeldShare> = fc.record({
  generation: fc.integer({ min: -1, max: 3 }),
  // Some name partitions that there are not, or that others name too.
  partitions: fc.array(fc.integer({ min: -2, max: 60 }), { maxLength: 60 }),
});

describe('shareOut', () => {
  it('gives every partition to exactly one member, evenly, whatever the members claim', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.array(heldShare, { minLength: 1, maxLength: 10 }),
        (count, members) => {
          const shares = shareOut({ partitions: numbers(count), members });
          expect(sorted(shares.flat())).toEqual(numbers(count));
          const sizes = shares.map((share) => share.length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          expect(shareOut({ partitions: numbers(count).reverse(), members })).toEqual(shares);
        },
      ),
    );
  });

  it('moves as little as an even share allows, while members join and leave', () => {
    const step = fc.record({
      joins: fc.integer({ min: 0, max: 3 }),
      leaves: fc.array(fc.nat(), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.array(step, { maxLength: 8 }), (count, steps) => {
        let members: HeldShare[] = [HOLDS_NOTHING];
        for (const [generation, { joins, leaves }] of steps.entries()) {
          for (const leaver of leaves) {
            if (members.length > 1) members = members.toSpliced(leaver % members.length, 1);
          }
          members = [...members, ...numbers(joins).map(() => HOLDS_NOTHING)];
          const shares = shareOut({ partitions: numbers(count), members });
          const kept = shares.flatMap((share, index) =>
            share.filter((partition) => members[index]!.partitions.includes(partition)),
          );
          const atLeast = Math.floor(count / members.length);
          const atMost = members.filter(({ partitions }) => partitions.length > atLeast).length;
          const keptMost =
            members.reduce((sum, { partitions }) => sum + Math.min(partitions.length, atLeast), 0) +
            Math.min(count % members.length, atMost);
          expect(kept).toHaveLength(keptMost);
          members = shares.map((partitions) => ({ generation, partitions }));
        }
      }),
    );
  });

  it('takes from 50 partitions of two members only what a third one gets', () => {
    const two = shareOut({ partitions: numbers(50), members: [HOLDS_NOTHING, HOLDS_NOTHING] });
    const held = two.map((partitions) => ({ generation: 1, partitions }));
    const shares = shareOut({ partitions: numbers(50), members: [HOLDS_NOTHING, ...held] });
    expect(shares.map((share) => share.length)).toEqual([16, 17, 17]);
    expect(two[0]).toEqual(expect.arrayContaining(shares[1]!));
    expect(two[1]).toEqual(expect.arrayContaining(shares[2]!));
  });

  it('believes the newer generation, so that who was away takes nothing back', () => {
    const members = [
      { generation: 4, partitions: [0, 1, 2, 3] },
      { generation: 6, partitions: [0, 1] },
      { generation: 5, partitions: [2, 3] },
    ];
    const shares = shareOut({ partitions: numbers(6), members });
    expect(shares).toEqual([
      [4, 5],
      [0, 1],
      [2, 3],
    ]);
  });
});
