import type { EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';

/** The change that a batch of records made to one run. */
export interface RunChange {
  /** `cluster/run/group`. */
  readonly key: string;
  /** Null if the run was absent. */
  readonly before: RunSnapshot | null;
  /** Null if the run was retired and is now absent. */
  readonly after: RunSnapshot | null;
  /** Every entry that the batch added, in order, including those that have already been pushed out of the event log. */
  readonly entries: readonly EventLogEntry[];
}
