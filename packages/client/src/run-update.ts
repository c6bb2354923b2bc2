import type { DeliveredEntry, DeliveredSnapshot, Position, RunStatus } from '@runlog/schema/run/snapshot';

/** Why entries were not handed over. */
export type GapReason =
  /** More entries were left out than `backfill.entriesMax` allows to fetch; 0 turns fetching off. */
  | 'too_many'
  /** The log no longer holds them. */
  | 'history_gone'
  /** The gateway does not have the run, or the run has begun anew. */
  | 'no_such_run'
  /** The key does not show the run's history. */
  | 'forbidden'
  /** The gateway does not know this request; it is older than this client. */
  | 'not_supported'
  /** The gateway could not be asked, or could not read the log, in all attempts. */
  | 'unavailable';

/**
 * What a subscriber of a run gets, in order. The entries of all updates, one after the other, are the run's entries: each
 * once, none out of order, and none missing that no `gap` covers.
 *
 * `filtered` is the number of entries that the filter left out since the update before, as far as the gateway counts them: in a
 * `snapshot` those of its event log, and none among what was fetched. It is null without a filter, and where the gateway said
 * nothing.
 *
 * `snapshot` is the newest state of the run. While entries are being fetched it is ahead of the entries. `position` is that
 * up to which all entries were handed over: a client that stores it can go on from there (`from`). It is null while the
 * run has no event.
 */
export type RunUpdate =
  /**
   * The state was replaced as a whole: at first, and when the server starts over. `reason` is what the server said if it
   * was not asked. With `startsOver`, what was handed over before is not the past of this run's entries: begin anew.
   */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: DeliveredSnapshot;
      readonly entries: readonly DeliveredEntry[];
      readonly position: Position | null;
      readonly filtered: number | null;
      readonly startsOver: boolean;
      readonly reason: string | null;
    }
  /** The state went on, or entries came, or both. */
  | {
      readonly kind: 'step';
      readonly snapshot: DeliveredSnapshot;
      readonly entries: readonly DeliveredEntry[];
      readonly position: Position | null;
      readonly filtered: number | null;
    }
  /** Entries with `after` < seq < `before` are missing here: `count` of them, null if that is not known. */
  | {
      readonly kind: 'gap';
      readonly after: number;
      readonly before: number;
      readonly count: number | null;
      readonly reason: GapReason;
      readonly position: Position | null;
    }
  /** The run reported that it is over. All entries before it were handed over. */
  | { readonly kind: 'end'; readonly status: Exclude<RunStatus, 'running'> };

/** The server will not stream this channel. */
export interface ChannelRefusal {
  readonly kind: 'refused';
  readonly code: string;
  readonly message: string;
}
