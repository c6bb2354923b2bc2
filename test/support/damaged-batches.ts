import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/**
 * Damages batches where a broker keeps them, in the only segment of a partition, while it runs: as a disk would. `damages`
 * has one for each batch of the segment that it is to befall, by its index; a negative index counts from the end. Resolves to
 * a function that puts back what was there.
 */
export async function damageStored(
  at: { logFolder: string; topic: string; partition: number },
  damages: Readonly<Record<number, Damage>>,
): Promise<() => Promise<void>> {
  const path = join(at.logFolder, `${at.topic}-${at.partition}`, '00000000000000000000.log');
  const bytes = await readFile(path);
  const batches: { from: number; batch: Buffer }[] = [];
  for (let from = 0; from + CHECKED_FROM < bytes.length; ) {
    const length = LENGTH_PREFIX_BYTES + bytes.readInt32BE(from + 8);
    // A segment may be longer than what was written to it.
    if (length === LENGTH_PREFIX_BYTES) break;
    batches.push({ from, batch: bytes.subarray(from, from + length) });
    from += length;
  }
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
