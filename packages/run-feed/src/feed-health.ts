/** Whether the log answers, and if not, since when, as ISO time. */
export type FeedState = { readonly state: 'live' } | { readonly state: 'stalled'; readonly since: string };

/** What a service tells of its reading of the log. */
export type FeedHealth = FeedState & {
  /** The records that the log has and that are not folded. Null while that is not known. */
  readonly behind_records: number | null;
};

/** A log that has not answered for so long has stalled. */
export const STALLED_AFTER_MS = 2_000;

export function feedStateOf(stalledSinceMs: number | null): FeedState {
  return stalledSinceMs === null
    ? { state: 'live' }
    : { state: 'stalled', since: new Date(stalledSinceMs).toISOString() };
}
