import { encodeRetirement } from '@runlog/records/control-record';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { type StoredEvent, storedEventSchema } from '@runlog/schema/http/gateway-api';
import { EVENTS_PAGE_LOG_BYTES_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  gateEvaluated,
  otherEvent,
} from '../../../../test/support/event-factory.ts';
import { expectLive, interleaved, training } from '../../../../test/support/long-runs.ts';
import { foldedLive, openPastLog, type PastLog, recordToAppend } from '../../../../test/support/past-log.ts';
import { recording } from '../../../../test/support/recordings.ts';
import { History, type HistoryQuery } from './history.ts';

const KEY = 'c1/r1/default';
const MIB = 1024 * 1024;

type Asked = Partial<Omit<HistoryQuery, 'state'>>;
interface Page {
  readonly events: readonly StoredEvent[];
  readonly next: number | null;
  readonly oldest: number;
}

/** Asks for pages of one run, by one gateway. */
function reader(log: PastLog, state: RunSnapshot): (asked?: Asked) => Promise<Page> {
  const history = new History({ io: log.io, topic: log.topic, clock: systemClock });
  return async (asked = {}) => {
    const { signal } = new AbortController();
    const page = await history.page({ state, limit: 100, signal, ...asked });
    return { ...page, events: page.events.map((text) => storedEventSchema.parse(JSON.parse(text))) };
  };
}

async function everyPage(
  page: (asked?: Asked) => Promise<Page>,
  asked: Asked,
): Promise<readonly StoredEvent[]> {
  const all: StoredEvent[] = [];
  const isForward = asked.after !== undefined;
  let next: number | null = asked.after ?? asked.before ?? null;
  do {
    const place = next === null ? {} : isForward ? { after: next } : { before: next };
    const { events, next: following }: Page = await page({ ...asked, ...place });
    if (isForward) all.push(...events);
    else all.unshift(...events);
    if (following !== null) expect(following).not.toBe(next);
    next = following;
  } while (next !== null);
  return all;
}

/** Asks for the same page until it has been found. */
async function again(page: (asked?: Asked) => Promise<Page>, asked: Asked): Promise<Page> {
  for (let asking = 0; asking < 20; asking += 1) {
    const found = await page(asked);
    if (found.events.length > 0 || found.next !== (asked.after ?? asked.before)) return found;
  }
  throw new Error('the page was not found');
}

/** Events that leave the episode alone, each of some 900 bytes. */
const quiet = (events: number) =>
  Array.from({ length: events }, () => epochCompleted({ message: 'x'.repeat(600) }));

const recordsOf = (events: readonly TelemetryEvent[]) => events.map(recordToAppend);

describe('a page of history', () => {
  it.each(['short', 'one-env'] as const)('has the entries that went out live, for %s', async (name) => {
    const events = recording(name).lines.map(
      (line) => JSON.parse(line.replace(/\bNaN\b/g, '"NaN"')) as TelemetryEvent,
    );
    await using log = await openPastLog(recordsOf(events));
    for (const key of new Set(log.records.map((record) => record.key))) {
      const live = foldedLive(log.records, key);
      const page = reader(log, live.state);
      const written = log.records.filter((record) => record.key === key);
      for (const asked of [{ limit: 7 }, { after: -1, limit: 7 }, { after: -1, limit: 1_000 }]) {
        const all = await everyPage(page, asked);
        expect(all.map(({ seq }) => seq)).toEqual(written.map(({ offset }) => offset));
        expect(all.map(({ event }) => event)).toEqual(written.map(({ value }) => JSON.parse(String(value))));
        expectLive(all, live);
      }
    }
  });

  it('has them wherever it lies among other runs', async () => {
    const other = (run_id: string) => training(2_500, { run_id });
    await using log = await openPastLog(
      interleaved([other('r0'), training(4_000), other('r2'), other('r3')]),
    );
    const live = foldedLive(log.records, KEY);
    const seqs = log.records.filter((record) => record.key === KEY).map((record) => record.offset);
    const place = fc.nat(log.records.length);
    await fc.assert(
      fc.asyncProperty(
        place,
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        async (at, limit, isForward) => {
          // A gateway that has read nothing yet.
          const page = reader(log, live.state);
          const { events, next } = await page({ limit, ...(isForward ? { after: at } : { before: at }) });
          const beyond = seqs.filter((seq) => (isForward ? seq > at : seq < at));
          const expected = isForward ? beyond.slice(0, limit) : beyond.slice(-limit);
          expect(events.map(({ seq }) => seq)).toEqual(expected);
          expect(next === null).toBe(expected.length === beyond.length);
          expectLive(events, live);
        },
      ),
      { numRuns: 150 },
    );
    const forth = await everyPage(reader(log, live.state), { after: -1, limit: 500 });
    expect(forth.map(({ seq }) => seq)).toEqual(seqs);
    expectLive(forth, live);
  }, 60_000);

  it('costs its own part of the log, where a run ended early in a long topic', async () => {
    const runs = Array.from({ length: 50 }, (_, run) =>
      training(run === 1 ? 600 : 6_000, { run_id: `r${run}`, timestamp: '2026-01-03T23:59:47.900000+00:00' }),
    );
    await using log = await openPastLog(interleaved(runs));
    expect(log.records.length).toBeGreaterThan(290_000);
    const live = foldedLive(log.records, KEY);
    const page = reader(log, live.state);
    for (const asked of [{}, { limit: 1 }, { after: -1 }, { before: 15_000 }, { after: 15_000, limit: 10 }]) {
      log.cost.forget();
      const { events } = await page(asked);
      expect(events).toHaveLength(asked.limit ?? 100);
      expectLive(events, live);
      expect(log.cost.records).toBeLessThanOrEqual(7_000);
      expect(log.cost.bytes).toBeLessThanOrEqual(EVENTS_PAGE_LOG_BYTES_MAX);
    }
  }, 120_000);

  it('reads two megabytes and a half at most for one event among large ones', async () => {
    const message = 'x'.repeat(20_000);
    await using log = await openPastLog(recordsOf(training(2_000, { message })));
    const { state } = foldedLive(log.records, KEY);
    for (const asked of [{}, { before: 1_000 }, { after: 1_000 }, { after: -1 }]) {
      const page = reader(log, state);
      log.cost.forget();
      expect((await page({ limit: 1, ...asked })).events).toHaveLength(1);
      expect(log.cost.bytes).toBeLessThanOrEqual(2.5 * MIB);
    }
  }, 60_000);

  it('begins with what retention has left', async () => {
    const records = recordsOf(training(2_000));
    await using whole = await openPastLog(records);
    const live = foldedLive(whole.records, KEY);
    await using log = await openPastLog(records, { keptFrom: 777 });
    expect((await reader(whole, live.state)()).oldest).toBe(0);
    expect((await reader(log, live.state)()).oldest).toBe(777);
    for (const asked of [{ limit: 300 }, { limit: 300, after: -1 }, { limit: 300, after: 500 }]) {
      const all = await everyPage(reader(log, live.state), asked);
      expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 2_000 - 777 }, (_, at) => 777 + at));
      // Up to the first event that sets the episode, that of the newest landmark is taken.
      expectLive(all.slice(100), live);
    }
  });

  it('stops at 4 MiB and goes on from there', async () => {
    const message = 'x'.repeat(20_000);
    await using log = await openPastLog(recordsOf(training(1_000, { message })));
    const live = foldedLive(log.records, KEY);
    for (const asked of [{ limit: 1_000 }, { limit: 1_000, after: -1 }]) {
      const page = reader(log, live.state);
      const all = await everyPage(async (each) => {
        log.cost.forget();
        const answer = await page(each);
        expect(log.cost.bytes).toBeLessThanOrEqual(EVENTS_PAGE_LOG_BYTES_MAX + 64 * 1024);
        if (answer.next !== null) expect(answer.events.length).toBeGreaterThan(50);
        return answer;
      }, asked);
      expect(all).toHaveLength(1_000);
      expectLive(all, live);
    }
  }, 60_000);
});

describe('the history of a run that was deleted', () => {
  it.each([0, 1, 3])('does not come back with %d late events', async (late) => {
    const deletion = encodeRetirement({
      key: KEY,
      reason: 'deleted',
      through: null,
      nowMs: Date.UTC(2026, 0, 4),
    });
    const others = training(200, { run_id: 'r2' }).map(recordToAppend);
    const again = training(1 + late).map(recordToAppend);
    await using log = await openPastLog([
      ...recordsOf(training(500)),
      ...others,
      deletion,
      ...others,
      ...again,
    ]);
    const live = foldedLive(log.records, KEY);
    const seqs = log.records.slice(-again.length).map(({ offset }) => offset);
    expect(live.state.first_seq).toBe(seqs[0]);
    const page = reader(log, live.state);
    for (const asked of [{}, { limit: 1 }, { after: -1 }, { after: -1, limit: 1 }]) {
      expect((await everyPage(page, asked)).map(({ seq }) => seq)).toEqual(seqs);
    }
    for (const before of [0, 100, seqs[0]!]) expect((await page({ before })).events).toEqual([]);
  });
});

describe('a page whose episode is further away than a page may read', () => {
  it('is asked for again until it is found, and has the entries that went out live', async () => {
    const events = Array.from({ length: 4 }, (_, index) => [
      batchCompleted({ data: { episodes_completed: 4 * index, batch_idx: index } }),
      ...quiet(12_000),
    ]).flat();
    await using log = await openPastLog(recordsOf([...events, ...training(5_000)]));
    const live = foldedLive(log.records, KEY);
    const landmarks = live.state.landmarks.filter((_, index) => index % 16 === 0);
    const state = { ...live.state, landmarks };
    for (const asked of [
      { after: 22_000 },
      { before: 35_000 },
      { before: 36_002, limit: 1_000 },
      { before: 11_000, q: 'no such text' },
    ]) {
      const page = reader(log, state);
      const { events: found, next } = await again(async (each) => {
        log.cost.forget();
        const answer = await page(each);
        expect(log.cost.bytes).toBeLessThanOrEqual(EVENTS_PAGE_LOG_BYTES_MAX + 64 * 1024);
        return answer;
      }, asked);
      if (asked.q === undefined) expect(found).toHaveLength(asked.limit ?? 100);
      else expect(found).toEqual([]);
      expect(next).not.toBe(asked.after ?? asked.before);
      expectLive(found, live);
    }
  }, 60_000);
});

describe('a run that paused in a busy log', () => {
  /** No event of it comes twice. */
  const burst = (events: number) =>
    Array.from({ length: events }, (_, index) =>
      index % 40 === 0 ? batchCompleted({ data: { episodes_completed: index } }) : epochCompleted(),
    );
  const busy = () =>
    Array.from({ length: 30_000 }, (_, index) => epochCompleted({ run_id: `other-${index % 9}` }));

  it.each([
    ['few', [60, 60]],
    ['many', [1_000, 1_010, 900]],
  ])(
    'of %s events has pages that leave the pauses out',
    async (_name, bursts) => {
      const events = bursts.flatMap((length) => [...burst(length), ...busy()]);
      await using log = await openPastLog(recordsOf(events));
      const live = foldedLive(log.records, KEY);
      const seqs = log.records.filter(({ key }) => key === KEY).map(({ offset }) => offset);
      for (const asked of [{ limit: 100 }, { limit: 100, after: -1 }]) {
        const page = reader(log, live.state);
        let pages = 0;
        const all = await everyPage(async (each) => {
          pages += 1;
          log.cost.forget();
          const answer = await page(each);
          expect(log.cost.records).toBeLessThanOrEqual(20_000);
          return answer;
        }, asked);
        expect(all.map(({ seq }) => seq)).toEqual(seqs);
        expectLive(all, live);
        // No page was spent on a pause alone.
        expect(pages).toBeLessThanOrEqual(seqs.length / 100 + bursts.length + 2);
      }
      const place = fc.nat(log.records.length);
      await fc.assert(
        fc.asyncProperty(
          place,
          fc.integer({ min: 1, max: 300 }),
          fc.boolean(),
          async (at, limit, isForward) => {
            const page = reader(log, live.state);
            const { events: found } = await again(page, {
              limit,
              ...(isForward ? { after: at } : { before: at }),
            });
            const beyond = seqs.filter((seq) => (isForward ? seq > at : seq < at));
            const nearest = isForward ? beyond.slice(0, limit) : beyond.slice(-limit);
            const expected = isForward
              ? nearest.slice(0, found.length)
              : nearest.slice(-found.length || limit);
            expect(found.map(({ seq }) => seq)).toEqual(found.length === 0 ? [] : expected);
            expectLive(found, live);
          },
        ),
        { numRuns: 40 },
      );
    },
    120_000,
  );
});

describe('a filter', () => {
  const events = [
    ...training(300),
    gateEvaluated({ slot_id: 'r0c1', data: { env_id: 3, gate: 'G5' } }),
    otherEvent('NOTE', { severity: 'WARN', message: 'Disk nearly full' }),
    otherEvent('NOTE', { message: 'all well', data: { free_gib: 42, slot_id: 7 } }),
    otherEvent('SEED_WATERED', { data: { slot_id: 'r9' } }),
    ...training(300),
  ];
  const places = { gate: 300, warning: 301, note: 302, slot: 303 };

  it.each([
    ['types', { type: ['NOTE', 'SEED_GATE_EVALUATED'] }, [places.gate, places.warning, places.note]],
    ['an environment and a type', { env: [3], type: ['SEED_GATE_EVALUATED'] }, [places.gate]],
    [
      'types that are not wanted',
      { not_type: [...new Set(training(300).map(({ event_type }) => event_type)), 'NOTE'] },
      [places.gate, places.slot],
    ],
    ['a slot of the metadata', { slot: ['r0c1', 'none'] }, [places.gate]],
    ['a slot of the values', { slot: ['r9'] }, [places.slot]],
    ['a slot that is a number', { slot: ['7'] }, [places.note]],
    ['a slot that no event has', { slot: ['undefined'] }, []],
    ['a slot and what is left of it', { slot: ['r0c1', '7'], not_type: ['NOTE'] }, [places.gate]],
    ['a severity', { severity: ['warning'] as const }, [places.warning]],
    ['text of the message', { q: 'NEARLY' }, [places.warning]],
    ['text of the metadata', { q: 'g5' }, [places.gate]],
    ['the name of a value', { q: 'free_gib' }, [places.note]],
    ['a value', { q: '42', type: ['NOTE'] }, [places.note]],
    ['nothing that is there', { q: 'no such text' }, []],
  ])('by %s lets only those through', async (_name, filter, expected) => {
    await using log = await openPastLog(recordsOf(events));
    const page = reader(log, foldedLive(log.records, KEY).state);
    for (const place of [{}, { after: -1 }]) {
      const found = await everyPage(page, { limit: 2, ...filter, ...place } as Asked);
      expect(found.map(({ seq }) => seq)).toEqual(expected);
    }
  });

  it('finds heartbeats, which have no entry', async () => {
    await using log = await openPastLog(recordsOf(events));
    const page = reader(log, foldedLive(log.records, KEY).state);
    const { events: beats } = await page({ type: ['RUN_HEARTBEAT'], limit: 3 });
    expect(beats).toHaveLength(3);
    for (const { entry, event } of beats) {
      expect(event.event_type).toBe('RUN_HEARTBEAT');
      expect(entry).toBeNull();
    }
  });

  it('gives pages without events that have a next, until the end', async () => {
    const message = 'x'.repeat(20_000);
    await using log = await openPastLog(recordsOf(training(600, { message })));
    const page = reader(log, foldedLive(log.records, KEY).state);
    const first = await page({ q: 'no such text' });
    expect(first.events).toEqual([]);
    expect(first.next).toBeGreaterThan(0);
    expect(await everyPage(page, { q: 'no such text' })).toEqual([]);
    expect(await everyPage(page, { q: 'no such text', after: -1 })).toEqual([]);
  });
});

describe('a run that was brought up from the first version', () => {
  it('has the entries of its newest events, and of others as far as they can be known', async () => {
    await using log = await openPastLog(recordsOf(training(6_000)));
    const live = foldedLive(log.records, KEY);
    const repeats = { unknown_below: live.state.position.seq + 1, ranges: [] };
    const page = reader(log, { ...live.state, landmarks: [], repeats });
    for (const asked of [{}, { before: 3_000 }, { after: 3_000 }, { after: -1 }]) {
      const { events } = await page(asked);
      expect(events).toHaveLength(100);
      for (const { duplicate } of events) expect(duplicate).toBeNull();
      expectLive(events, live);
    }
  });

  it('has the episode of the newest place below if the log no longer says it', async () => {
    const rounds = Array.from({ length: 150 }, () => batchCompleted());
    const records = recordsOf([...training(5_000), ...quiet(9_000), ...rounds]);
    await using whole = await openPastLog(records);
    const { state } = foldedLive(whole.records, KEY);
    // What set the episode is gone.
    await using log = await openPastLog(records, { keptFrom: 5_500 });
    const page = reader(log, { ...state, landmarks: state.landmarks.filter(([seq]) => seq < 2_000) });
    const { events } = await again(page, { after: 9_000, limit: 10 });
    const [, , , episode] = state.landmarks.findLast(([seq]) => seq < 2_000)!;
    expect(events.map(({ entry }) => entry?.episode)).toEqual(Array.from({ length: 10 }, () => episode));
  }, 60_000);
});
