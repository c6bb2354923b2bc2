import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapSearch, SEARCHED_EVENTS } from './gap-search.ts';

/** A history whose events are the numbers of emitters, in the order of arrival; seqs may skip. */
function history(numbers: readonly (readonly [emitter: string, number: number])[], step = 1): StoredEvent[] {
  return numbers.map(([emitter_id, emitter_seq], at) => ({
    ...{ seq: 10 + at * step, received_at: null, entry: null, duplicate: false },
    event: { emitter_id, emitter_seq },
  }));
}

function pageBehind(events: readonly StoredEvent[], after: number): Pick<EventsPage, 'events' | 'next'> {
  const rest = events.filter(({ seq }) => seq > after);
  const page = rest.slice(0, SEARCHED_EVENTS);
  return { events: page, next: rest.length > page.length ? page.at(-1)!.seq : null };
}

/** Where the search ends, and how many pages it read. */
function found(events: readonly StoredEvent[], gap: { emitterId: string; from: number }) {
  const own = events.filter(({ event }) => event.emitter_id === gap.emitterId);
  const search = new GapSearch(gap, { firstSeq: events[0]!.seq, seen: own.at(-1)!.seq });
  let pages = 0;
  for (let after = search.next; after !== null; after = search.next) {
    search.note(pageBehind(events, after));
    pages += 1;
  }
  return { place: search.place, pages };
}

/** The seq before the first event of the emitter that has a number above the gap. */
const placeOf = (events: readonly StoredEvent[], { emitterId, from }: { emitterId: string; from: number }) =>
  events.find(({ event }) => event.emitter_id === emitterId && Number(event.emitter_seq) > from)!.seq - 1;

describe('the search for the place of a gap', () => {
  it('takes few pages of a long history', () => {
    const numbers = Array.from({ length: 100_000 }, (_, at): [string, number] => [
      'e',
      at < 31_234 ? at + 1 : at + 40,
    ]);
    const events = history(numbers, 3);
    const gap = { emitterId: 'e', from: 31_235 };
    const { place, pages } = found(events, gap);
    expect(place).toBe(placeOf(events, gap));
    expect(pages).toBeLessThanOrEqual(12);
  });

  it('ends at the latest place that is possible where an emitter is too rare to be found', () => {
    const rare = Array.from({ length: 30_000 }, (_, at): [string, number] => ['often', at + 1]);
    const events = history([['e', 1], ...rare, ['e', 3], ...rare]);
    const { place, pages } = found(events, { emitterId: 'e', from: 2 });
    expect(place).toBe(30_001 + 10 - 1);
    expect(pages).toBeLessThanOrEqual(48);
  });

  it('finds it among many emitters, wherever it is', () => {
    const arrivals = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 700, size: 'max' });
    fc.assert(
      fc.property(arrivals, fc.nat(), fc.integer({ min: 1, max: 5 }), (emitters, at, step) => {
        const open = at % emitters.length;
        const last: Record<string, number> = { a: 0, b: 0, c: 0 };
        const numbers = emitters.map((emitter, index): [string, number] => {
          last[emitter] = last[emitter]! + (index === open ? 8 : 1);
          return [emitter, last[emitter]];
        });
        const [emitterId, number] = numbers[open]!;
        const events = history(numbers, step);
        expect(found(events, { emitterId, from: number - 7 }).place).toBe(events[open]!.seq - 1);
      }),
      { numRuns: 300 },
    );
  });
});
