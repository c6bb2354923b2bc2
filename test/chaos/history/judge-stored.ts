import { grouped } from './grouped.ts';
import type { ObservationOf } from './observation.ts';
import type { TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

type Stored = ObservationOf<'stored'> | ObservationOf<'checkpoint'>;

/**
 * Judges the snapshots topic, record by record: each snapshot is what its run was at that event, nothing moves backwards,
 * and the snapshots of a flush come with its checkpoint. A checkpoint may lie far below its snapshots, because it waits for
 * figures too, but it is never ahead of them.
 */
export function judgeStored(stored: readonly Stored[], truth: TopicTruth): Violation[] {
  const partitions = grouped(stored, ({ partition }) => partition);
  return [...partitions].flatMap(([partition, records]) => judgePartition({ partition, records, truth }));
}

function judgePartition(of: {
  partition: number;
  records: readonly Stored[];
  truth: TopicTruth;
}): Violation[] {
  const violations: Violation[] = [];
  const newest = new Map<string, number>();
  /** The snapshots since the last checkpoint. */
  const flushed = new Set<string>();
  let checkpoint = -1;
  for (const record of of.records) {
    const at = `snapshots ${of.partition}/${record.offset}`;
    if (record.kind === 'stored') {
      const held = newest.get(record.key) ?? -1;
      if (record.seq <= held) {
        violations.push({
          kind: 'snapshot went back',
          what: `${at}: ${record.key} at ${record.seq} after ${held}`,
        });
      }
      newest.set(record.key, Math.max(held, record.seq));
      if (flushed.has(record.key)) {
        const what = `${at}: ${record.key} was stored again, and there was no checkpoint since`;
        violations.push({ kind: 'snapshot without its checkpoint', what });
      }
      flushed.add(record.key);
      violations.push(...judgeSnapshot({ at, record, truth: of.truth }));
      continue;
    }
    if (record.next < checkpoint) {
      violations.push({ kind: 'checkpoint went back', what: `${at}: ${record.next} after ${checkpoint}` });
    }
    checkpoint = record.next;
    flushed.clear();
    violations.push(...judgeCheckpoint({ ...of, at, newest, next: record.next }));
  }
  return violations;
}

function judgeSnapshot(of: { at: string; record: ObservationOf<'stored'>; truth: TopicTruth }): Violation[] {
  const { at, record, truth } = of;
  const last = truth.partitions.get(record.partition)?.get(record.seq);
  if (last?.key !== record.key || last.id !== record.lastId) {
    const what = `${at}: ${record.key} stands at event ${record.lastId} at ${record.seq}, where the log has ${last?.id ?? 'nothing'}`;
    return [{ kind: 'snapshot of no record', what }];
  }
  const { received, distinct } = truth.runs.get(record.key)!.countsAt(record.seq);
  if (record.received === received && record.distinct === distinct) return [];
  const what = `${at}: ${record.key} at ${record.seq} counts ${record.received} received and ${record.distinct} distinct, true is ${received} and ${distinct}`;
  return [{ kind: 'snapshot with wrong counts', what }];
}

/** Every event below the checkpoint is in the snapshot of its run. */
function judgeCheckpoint(of: {
  at: string;
  partition: number;
  truth: TopicTruth;
  newest: ReadonlyMap<string, number>;
  next: number;
}): Violation[] {
  const violations: Violation[] = [];
  for (const [key, run] of of.truth.runs) {
    if (run.partition !== of.partition) continue;
    const due = run.newestBelow(of.next);
    const held = of.newest.get(key) ?? -1;
    if (held >= due) continue;
    const what = `${of.at}: it says ${of.next}, and ${key} is stored as of ${held}, not ${due}`;
    violations.push({ kind: 'checkpoint ahead of its snapshots', what });
  }
  return violations;
}
