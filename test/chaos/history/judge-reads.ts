import { END, type ObservationOf } from './observation.ts';
import type { TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

/**
 * Compares what each reader was given, while the system ran, with what the topic holds in the end: the same records,
 * each once, in the same order, and none left out between the first and the last.
 */
export function judgeReads(reads: readonly ObservationOf<'read'>[], truth: TopicTruth): Violation[] {
  const violations: Violation[] = [];
  const readers = new Map<
    string,
    { partition: number; firstOffset: number; lastOffset: number; records: Set<number> }
  >();
  for (const { by, partition, offset, key, id } of reads) {
    const at = `${by} at ${partition}/${offset}`;
    const reader = readers.get(`${by} ${partition}`);
    if (reader === undefined) {
      readers.set(`${by} ${partition}`, {
        ...{ partition, firstOffset: offset, lastOffset: offset, records: new Set([offset]) },
      });
    } else {
      if (offset <= reader.lastOffset) {
        violations.push({ kind: 'read went back', what: `${at}: it had read ${reader.lastOffset} before` });
      }
      reader.lastOffset = Math.max(reader.lastOffset, offset);
      reader.records.add(offset);
    }
    const kept = truth.partitions.get(partition)?.get(offset);
    if (kept === undefined) {
      violations.push({ kind: 'unkept read', what: `${at}: event ${id} of ${key} is not there in the end` });
    } else if (kept.id !== id || kept.key !== key) {
      const what = `${at}: it was event ${id} of ${key}, and is ${kept.id} of ${kept.key} in the end`;
      violations.push({ kind: 'divergent read', what });
    }
  }
  for (const [name, { partition, firstOffset, lastOffset, records }] of readers) {
    if (name.startsWith(`${END} `)) continue;
    for (const offset of truth.partitions.get(partition)?.keys() ?? []) {
      if (offset <= firstOffset || offset >= lastOffset || records.has(offset)) continue;
      violations.push({ kind: 'skipped read', what: `${name}/${offset} was passed and not given` });
    }
  }
  return violations;
}
