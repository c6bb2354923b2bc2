import type { RunsAtHand } from '@runlog/gateway/read/runs-at-hand';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** The history of one run for a made-up gateway: every entry that was added, without the events. */
export class MadeUpHistory implements NonNullable<RunsAtHand['history']> {
  /** The `after` of each page that was read. */
  readonly reads: number[] = [];
  readonly #entries: EventLogEntry[] = [];

  add(entries: readonly EventLogEntry[]): void {
    this.#entries.push(...entries);
  }

  async page({ after = -1, limit }: { after?: number | undefined; limit: number }) {
    this.reads.push(after);
    const above = this.#entries.filter(({ seq }) => seq > after);
    const events = above.slice(0, limit).map((entry) =>
      JSON.stringify({
        ...{ seq: entry.seq, received_at: null, entry, duplicate: false },
        event: { event_id: entry.metadata.event_id },
      }),
    );
    return { events, next: above.length > limit ? above[limit - 1]!.seq : null, oldest: 0 };
  }
}
