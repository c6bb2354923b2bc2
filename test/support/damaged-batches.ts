import { open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32, crc32c } from '@node-rs/crc32';

const LENGTH_PREFIX_BYTES = 12;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;

/** Changes the bytes of one batch. They must stay as many. */
export type Damage = (batch: Buffer) => void;

/** What can happen to a batch. The sealed ones have a right checksum, as a faulty producer would have given them. */
export const DAMAGES = {
  unknownCodec: sealed((batch) => batch.writeInt16BE(5, CHECKED_FROM)),
  wrongCodec: sealed((batch) => batch.writeInt16BE(3, CHECKED_FROM)),
  wrongCount: sealed((batch) => batch.writeInt32BE(batch.readInt32BE(57) + 1, 57)),
  flippedBit: (batch) => {
    batch[batch.length - 10]! ^= 1;
  },
  oldFormat: asMessageOfFormat1,
} satisfies Record<string, Damage>;

function sealed(damage: Damage): Damage {
  return (batch) => {
    damage(batch);
    batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), CHECKSUM_AT);
  };
}

/** Writes a message as producers did before Kafka 0.11, which some brokers still hold. It has the same first offset and length. */
function asMessageOfFormat1(batch: Buffer): void {
  const headerBytes = 34;
  batch.fill(0, 16);
  batch[16] = 1;
  batch.writeBigInt64BE(1_764_000_000_000n, 18);
  batch.writeInt32BE(-1, 26); // No key.
  batch.writeInt32BE(batch.length - headerBytes, 30);
  batch.writeUInt32BE(crc32(batch.subarray(16)), 12);
}

/** The partition of a broker, of which it has one segment. */
export interface StoredPartition {
  readonly logFolder: string;
  readonly topic: string;
  readonly partition: number;
}

function segmentOf({ logFolder, topic, partition }: StoredPartition): string {
  return join(logFolder, `${topic}-${partition}`, '00000000000000000000.log');
}

function batchesIn(segment: Buffer): { from: number; batch: Buffer }[] {
  const batches: { from: number; batch: Buffer }[] = [];
  for (let from = 0; from + CHECKED_FROM < segment.length; ) {
    const length = LENGTH_PREFIX_BYTES + segment.readInt32BE(from + 8);
    // A segment may be longer than what was written to it.
    if (length === LENGTH_PREFIX_BYTES) break;
    batches.push({ from, batch: segment.subarray(from, from + length) });
    from += length;
  }
  return batches;
}

/**
 * Leaves the first batches of a partition, as if its broker had lost its power before it wrote the others. The broker must not
 * run; it was killed.
 */
export async function loseStored(at: StoredPartition, { kept }: { kept: number }): Promise<void> {
  const path = segmentOf(at);
  await truncate(path, batchesIn(await readFile(path))[kept]!.from);
  // It would have had no snapshot of its producers either.
  const folder = dirname(path);
  for (const name of await readdir(folder)) if (name.endsWith('.snapshot')) await rm(join(folder, name));
}

/**
 * Damages batches where a broker keeps them, in the only segment of a partition, while it runs: as a disk would. `damages`
 * has one for each batch of the segment that it is to befall, by its index; a negative index counts from the end. Resolves to
 * a function that puts back what was there.
 */
export async function damageStored(
  at: StoredPartition,
  damages: Readonly<Record<number, Damage>>,
): Promise<() => Promise<void>> {
  const path = segmentOf(at);
  const batches = batchesIn(await readFile(path));
  const befallen = Object.entries(damages).map(([index, damage]) => ({
    ...batches.at(Number(index))!,
    damage,
  }));
  const before = befallen.map(({ from, batch }) => ({ from, batch: Buffer.from(batch) }));
  for (const { batch, damage } of befallen) damage(batch);
  const write = async (written: readonly { from: number; batch: Buffer }[]) => {
    await using file = await open(path, 'r+');
    for (const { from, batch } of written) await file.write(batch, 0, batch.length, from);
  };
  await write(befallen);
  return () => write(before);
}
