import { evolve } from '@runlog/run-state/evolve';
import { decodeRunRecord } from '@runlog/run-state/run-record';
import type { RunMeta } from '@runlog/schema/log-records';
import type { EventLogEntry, RunSnapshot } from '@runlog/schema/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import type { RunChange } from './run-change.ts';

/** A record that no reader can fold; the aggregator quarantines it, everyone skips it. */
export interface UnfoldableRecord {
  readonly record: LogRecord;
  readonly reason: string;
}

export interface FoldedBatch {
  readonly changes: readonly RunChange[];
  readonly unfoldable: readonly UnfoldableRecord[];
}

/** The states of the runs of some partitions, and the one way records get into them. */
export class RunTable {
  readonly states = new Map<string, RunSnapshot>();
  /** Runs whose snapshot cannot be read and cannot be refolded: left out, never overwritten. */
  readonly leftOut = new Set<string>();
  readonly #meta: RunMeta;

  constructor(meta: RunMeta) {
    this.#meta = meta;
  }

  /** Folds records of one partition, in order. Records at or below a run's position change nothing. */
  fold(records: readonly LogRecord[], partition: number): FoldedBatch {
    const touched = new Map<string, { before: RunSnapshot | null; entries: EventLogEntry[] }>();
    const unfoldable: UnfoldableRecord[] = [];
    for (const record of records) {
      const before = this.states.get(record.key) ?? null;
      if (before === null && partitionOf(record.key, this.#meta.partitions) !== partition) {
        unfoldable.push({ record, reason: 'the key does not belong into this partition' });
        continue;
      }
      if (this.leftOut.has(record.key)) continue;
      const decoded = decodeRunRecord(record, this.#meta.epoch);
      if (decoded.kind === 'unfoldable') {
        unfoldable.push({ record, reason: decoded.reason });
        continue;
      }
      const after = evolve(before, decoded);
      if (after === before) continue;
      let change = touched.get(record.key);
      if (change === undefined) {
        change = { before, entries: [] };
        touched.set(record.key, change);
      }
      if (after === null) {
        this.states.delete(record.key);
        change.entries.length = 0;
      } else {
        this.states.set(record.key, after);
        const newest = after.event_log.at(-1);
        if (newest !== undefined && newest.seq === record.offset) change.entries.push(newest);
      }
    }
    const changes: RunChange[] = [];
    for (const [key, { before, entries }] of touched) {
      changes.push({ key, before, after: this.states.get(key) ?? null, entries });
    }
    return { changes, unfoldable };
  }
}
