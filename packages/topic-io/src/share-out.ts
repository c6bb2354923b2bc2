import type { HeldShare } from '@runlog/schema/log/held-share';

/** What a member holds that was never assigned anything. */
export const HOLDS_NOTHING: HeldShare = { generation: -1, partitions: [] };

/**
 * Shares partitions out among members, evenly to one, and leaves with each what it holds as far as that allows: no other
 * even share moves fewer. What two members claim belongs to the newer generation, since the older one is that of a member
 * that was away; in the same generation it belongs to the former of the two. The result depends on nothing but the
 * arguments, in the order of the members.
 */
export function shareOut(options: {
  partitions: readonly number[];
  members: readonly HeldShare[];
}): number[][] {
  const { members } = options;
  const partitions = [...new Set(options.partitions)].sort((a, b) => a - b);
  const holders = holdersOf(members);
  const shares = members.map((): number[] => []);
  for (const partition of partitions) {
    const holder = holders.get(partition);
    if (holder !== undefined) shares[holder]!.push(partition);
  }
  const atLeast = Math.floor(partitions.length / Math.max(members.length, 1));
  let larger = partitions.length - atLeast * members.length;
  for (const share of shares) {
    const isLarger = share.length > atLeast && larger > 0;
    if (isLarger) larger -= 1;
    share.splice(isLarger ? atLeast + 1 : atLeast);
  }
  const kept = new Set(shares.flat());
  for (const partition of partitions) {
    if (!kept.has(partition)) smallest(shares)?.push(partition);
  }
  return shares.map((share) => share.sort((a, b) => a - b));
}

function holdersOf(members: readonly HeldShare[]): ReadonlyMap<number, number> {
  const holders = new Map<number, number>();
  for (const [index, { generation, partitions }] of members.entries()) {
    for (const partition of partitions) {
      const other = holders.get(partition);
      if (other === undefined || generation > members[other]!.generation) holders.set(partition, index);
    }
  }
  return holders;
}

function smallest(shares: readonly number[][]): number[] | undefined {
  return shares.reduce<number[] | undefined>(
    (found, share) => (found === undefined || share.length < found.length ? share : found),
    undefined,
  );
}
