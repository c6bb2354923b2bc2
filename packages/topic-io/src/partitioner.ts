/**
 * Kafka's murmur2 (seed 0x9747b28c), which Java's default partitioner uses. Any Java producer therefore agrees with us.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const m = 0x5bd1e995;
  let h = (0x9747b28c ^ length) | 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    // The index is in range because of the loop's condition.
    let k =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24) |
      0;
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = length - i;
  if (rest === 3) h ^= (bytes[i + 2] as number) << 16;
  if (rest >= 2) h ^= (bytes[i + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (bytes[i] as number), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h;
}

/** Returns the partition of a record key, equal to Java's `toPositive(murmur2(key)) % partitions`. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions;
}
