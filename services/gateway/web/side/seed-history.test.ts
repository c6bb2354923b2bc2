import type { EventsPage, StoredEvent } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { describe, expect, it, vi } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { SEED_EVENT_TYPES, SEED_EVENTS_MAX } from './seed-events.ts';
import { createSeedHistory, type ReadEvents } from './seed-history.ts';

const pruned = (seq: number, overrides: Partial<EventLogEntry> = {}) =>
  entryOf({ event_type: 'SEED_PRUNED', seq, ...overrides });
const stored = (entry: EventLogEntry | null, overrides: Partial<StoredEvent> = {}): StoredEvent => ({
  ...{ seq: entry?.seq ?? 0, received_at: null, entry, event: {}, duplicate: false },
  ...overrides,
});
const pageOf = (events: readonly StoredEvent[], overrides: Partial<EventsPage> = {}): EventsPage => ({
  ...{ events: [...events], next: null, position: { epoch: 'e', seq: 9_999 }, oldest: 0 },
  ...overrides,
});
const seqsOf = (history: ReturnType<typeof createSeedHistory>) => history.events.value.map(({ seq }) => seq);
const settled = (history: ReturnType<typeof createSeedHistory>) =>
  vi.waitFor(() => expect(history.state.value).not.toBe('loading'));

describe('the history of seeds', () => {
  it('is read page by page, the newest first, up to the beginning', async () => {
    const asked: Parameters<ReadEvents>[0][] = [];
    const pages = [
      pageOf([stored(pruned(8)), stored(pruned(9))], { next: 8 }),
      pageOf([], { next: 5 }),
      pageOf([stored(pruned(3))]),
    ];
    const history = createSeedHistory({
      firstSeq: 0,
      before: 10,
      readEvents: async (query) => {
        asked.push(query);
        return pages[asked.length - 1]!;
      },
    });
    expect(history.state.value).toBe('loading');
    await settled(history);
    expect(history.state.value).toBe('complete');
    expect(seqsOf(history)).toEqual([3, 8, 9]);
    expect(asked.map(({ before }) => before)).toEqual([10, 8, 5]);
    expect(asked[0]!.type).toEqual([...SEED_EVENT_TYPES]);
  });

  it('goes on with live entries, each once, and skips all others', async () => {
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async () => pageOf([stored(pruned(3)), stored(pruned(4))]),
    });
    history.add([pruned(4), entryOf({ seq: 5 }), pruned(6)]);
    await settled(history);
    history.add([pruned(7), pruned(6)]);
    expect(seqsOf(history)).toEqual([3, 4, 6, 7]);
  });

  it('leaves out what came twice, and what made no entry', async () => {
    const again = pruned(5, { metadata: { event_id: 'event-3' } });
    const events = [
      stored(pruned(3)),
      stored(pruned(4), { duplicate: true }),
      stored(again, { duplicate: null }),
      stored(null),
    ];
    const history = createSeedHistory({ firstSeq: 0, readEvents: async () => pageOf(events) });
    await settled(history);
    expect(seqsOf(history)).toEqual([3]);
  });

  it('keeps the newest, reads no page beyond them, and says that it is cut', async () => {
    let asked = 0;
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async ({ limit, before = 100_000 }) => {
        asked += 1;
        const seqs = Array.from({ length: limit }, (_, at) => before - limit + at);
        return pageOf(
          seqs.map((seq) => stored(pruned(seq))),
          { next: before - limit },
        );
      },
    });
    await settled(history);
    expect(history.state.value).toBe('cut');
    expect(asked).toBe(SEED_EVENTS_MAX / 1_000);
    history.add([pruned(200_000)]);
    expect(history.events.value).toHaveLength(SEED_EVENTS_MAX);
    expect(seqsOf(history).at(-1)).toBe(200_000);
  });

  it('gives up a search that takes too many pages', async () => {
    let asked = 0;
    const readEvents: ReadEvents = async () => {
      asked += 1;
      return pageOf([], { next: 100_000 - asked });
    };
    const history = createSeedHistory({ firstSeq: 0, readEvents });
    await settled(history);
    expect(history.state.value).toBe('cut');
    expect(asked).toBe(64);
  });

  it('is cut if the log no longer holds the beginning', async () => {
    const history = createSeedHistory({
      firstSeq: 10,
      readEvents: async () => pageOf([stored(pruned(50))], { oldest: 40 }),
    });
    await settled(history);
    expect(history.state.value).toBe('cut');
  });

  it('goes on from the page that failed, if asked to', async () => {
    const asked: (number | undefined)[] = [];
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async ({ before }) => {
        asked.push(before);
        if (asked.length === 2) throw new Error('503');
        return asked.length === 1 ? pageOf([stored(pruned(9))], { next: 9 }) : pageOf([stored(pruned(2))]);
      },
    });
    await settled(history);
    expect(history.state.value).toBe('failed');
    expect(seqsOf(history)).toEqual([9]);
    history.retry();
    await settled(history);
    expect(history.state.value).toBe('complete');
    expect(seqsOf(history)).toEqual([2, 9]);
    expect(asked).toEqual([undefined, 9, 9]);
  });

  it('reads what the stream left out, and is not complete until then', async () => {
    const asked: (number | undefined)[] = [];
    const pages = [
      pageOf([stored(pruned(3))]),
      pageOf([stored(pruned(6_000))], { next: 5_000 }),
      pageOf([stored(pruned(11))], { next: 11 }),
    ];
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async ({ before }) => {
        asked.push(before);
        return pages[asked.length - 1]!;
      },
    });
    await settled(history);
    history.missed({ after: 10, before: 7_000, isInLog: true });
    expect(history.state.value).toBe('loading');
    history.add([pruned(7_001)]);
    expect(history.state.value).toBe('loading');
    await settled(history);
    expect(history.state.value).toBe('complete');
    expect(seqsOf(history)).toEqual([3, 11, 6_000, 7_001]);
    expect(asked).toEqual([undefined, 7_000, 5_000]);
  });

  it('says that seeds may be missing where the log does not have what the stream left out', async () => {
    const history = createSeedHistory({ firstSeq: 0, readEvents: async () => pageOf([]) });
    await settled(history);
    history.missed({ after: 10, before: 7_000, isInLog: false });
    expect(history.state.value).toBe('holed');
  });

  it('says so too where the log has dropped a part of it meanwhile', async () => {
    const pages = [pageOf([]), pageOf([stored(pruned(6_000))], { oldest: 5_500 })];
    const history = createSeedHistory({ firstSeq: 0, readEvents: async () => pages.shift()! });
    await settled(history);
    history.missed({ after: 10, before: 7_000, isInLog: true });
    await settled(history);
    expect(history.state.value).toBe('holed');
  });

  it('reads many gaps one after the other, and what lies between the last ones with them', async () => {
    const asked: (number | undefined)[] = [];
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async ({ before }) => {
        asked.push(before);
        return pageOf([]);
      },
    });
    const gaps = Array.from({ length: 40 }, (_, at) => ({
      ...{ after: at * 10_000 + 1_000, before: at * 10_000 + 9_000, isInLog: true },
    }));
    for (const gap of gaps) history.missed(gap);
    await settled(history);
    expect(history.state.value).toBe('complete');
    expect(asked).toEqual([undefined, ...gaps.slice(0, 15).map(({ before }) => before), 399_000]);
  });

  it('does not go on by itself after a failure, and reads gaps too when it is asked to', async () => {
    let isAway = true;
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: async ({ before }) => {
        if (isAway) throw new Error('503');
        return pageOf([stored(pruned(before === undefined ? 5 : 6_000))]);
      },
    });
    await settled(history);
    history.missed({ after: 10, before: 7_000, isInLog: true });
    expect(history.state.value).toBe('failed');
    isAway = false;
    history.retry();
    await settled(history);
    expect(history.state.value).toBe('complete');
    expect(seqsOf(history)).toEqual([5, 6_000]);
  });

  it('ends when it is disposed of, and changes nothing afterwards', async () => {
    let aborted = false;
    const history = createSeedHistory({
      firstSeq: 0,
      readEvents: (_query, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve(pageOf([stored(pruned(1))]));
          });
        }),
    });
    history.dispose();
    await Promise.resolve();
    expect(aborted).toBe(true);
    expect(history.state.value).toBe('loading');
    expect(history.events.value).toEqual([]);
  });
});
