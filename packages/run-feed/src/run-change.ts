import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';

/** The change that a batch of records made to one run. */
export interface RunChange {
  /** `cluster/run/group`. */
  readonly key: string;
  /** null: the run was absent. */
  readonly before: RunSnapshot | null;
  /** null: the run was retired and is absent now. */
  readonly after: RunSnapshot | null;
  /** Every entry that the batch added, in order, also those that have already left the log again. */
  readonly entries: readonly EventLogEntry[];
}
