import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { entryTest } from '../read/event-filter.ts';
import type { HistoryPage, HistoryQuery } from '../read/history.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';

/** An event of a made-up run. */
interface KeptEvent {
  readonly seq: number;
  readonly receivedAt: string;
  readonly event: object;
  /** Null for an event that made none. */
  readonly entry: EventLogEntry | null;
  readonly isDuplicate: boolean;
}

/** The history of made-up runs: every event of them, in memory. */
export class MadeUpHistory implements NonNullable<RunsAtHand['history']> {
  /** The `after` or `before` of each page that was read; null for one from the end. */
  readonly reads: (number | null)[] = [];
  readonly #events = new Map<string, KeptEvent[]>();

  add(key: string, event: KeptEvent): void {
    const held = this.#events.get(key);
    if (held === undefined) this.#events.set(key, [event]);
    else held.push(event);
  }

  forget(key: string): void {
    this.#events.delete(key);
  }

  async page(query: Omit<HistoryQuery, 'signal'>): Promise<HistoryPage> {
    const { state, after, before, limit } = query;
    this.reads.push(after ?? before ?? null);
    const test = entryTest(query) ?? (() => true);
    const of = this.#events.get(`${state.cluster_id}/${state.run_id}/${state.group_id}`) ?? [];
    const within = of.filter(
      ({ seq, entry }) =>
        seq > (after ?? -1) &&
        seq < (before ?? Number.POSITIVE_INFINITY) &&
        (entry === null ? entryTest(query) === null : test(entry)),
    );
    const page = after === undefined ? within.slice(-limit) : within.slice(0, limit);
    const edge = after === undefined ? page[0] : page.at(-1);
    return {
      events: page.map(storedText),
      next: page.length < within.length ? edge!.seq : null,
      oldest: state.first_seq,
    };
  }
}

function storedText({ seq, receivedAt, entry, event, isDuplicate }: KeptEvent): string {
  return JSON.stringify({ seq, received_at: receivedAt, entry, event, duplicate: isDuplicate });
}
