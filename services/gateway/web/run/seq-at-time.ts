/** An event by its place and its time, in milliseconds since 1970 by the sender's clock, which is that of the log. */
export interface TimedEvent {
  readonly seq: number;
  readonly ms: number;
}

/** More probes than a run with 2^40 records needs. */
const PROBES_MAX = 48;

/**
 * Finds the first event at or after a time in a run's history, by halving it: `probe` gives the oldest event above a seq, or
 * null if there is none, and rejects if nobody answers, as this does then. Returns the seq of the newest event if all are
 * older, and null if there is none at all. Where the senders' clocks disagree it is some event at that time.
 */
export async function seqAtTime(
  timeMs: number,
  run: { readonly firstSeq: number; readonly lastSeq: number },
  probe: (after: number) => Promise<TimedEvent | null>,
): Promise<number | null> {
  let low = run.firstSeq - 1;
  let high = run.lastSeq;
  let found: TimedEvent | null = null;
  for (let probes = 0; low < high && probes < PROBES_MAX; probes += 1) {
    const middle = Math.floor((low + high) / 2);
    const event = await probe(middle);
    if (event === null || event.seq > high || event.ms >= timeMs) {
      if (event !== null && event.ms >= timeMs && (found === null || event.seq < found.seq)) found = event;
      high = middle;
    } else {
      low = event.seq;
    }
  }
  if (found !== null) return found.seq;
  const newest = await probe(run.lastSeq - 1);
  return newest?.seq ?? null;
}
