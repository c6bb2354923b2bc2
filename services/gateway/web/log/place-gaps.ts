import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import type { GapRows } from './gap-rows.ts';
import { GapSearch, SEARCHED_EVENTS } from './gap-search.ts';

/** Pages that are read for all gaps of a log. Those that have no place then are shown once the event behind them is loaded. */
const PAGES_MAX = 500;

/**
 * Looks in the unfiltered history for the places of gaps, the newest first, until all have one or `read` returns null, which
 * is false. `placed` is called after each.
 */
export async function placeGaps(
  gaps: GapRows,
  of: {
    state: Pick<DeliveredSnapshot, 'emitters' | 'first_seq' | 'position'>;
    read(after: number, limit: number): Promise<EventsPage | null>;
    placed(): void;
  },
): Promise<boolean> {
  const { emitters, first_seq: firstSeq, position } = of.state;
  let pages = 0;
  for (let row = gaps.placeless; row !== null && pages < PAGES_MAX; row = gaps.placeless) {
    const seen = emitters[row.emitterId ?? '']?.seen ?? position?.seq ?? firstSeq;
    const search = new GapSearch(row, { firstSeq, seen });
    for (let after = search.next; after !== null; after = search.next) {
      const page = await of.read(after, SEARCHED_EVENTS);
      if (page === null) return false;
      pages += 1;
      gaps.noteHistory(page.events);
      search.note(page);
    }
    gaps.placeAt(row.id, search.place);
    of.placed();
  }
  return true;
}
