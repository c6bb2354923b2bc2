import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { pageCase } from '../../../../test/support/page-cases.ts';
import { GROUP_ENTRIES_MAX } from './event-groups.ts';
import type { GapRow } from './gap-rows.ts';
import { lineOf } from './line-text.ts';
import type { LogRow } from './log-row.ts';
import { LogRows } from './log-rows.ts';

const START_MS = Date.parse('2026-01-03T23:59:47Z');

/** An entry that came at `seq`, `second` seconds after 23:59:47 by its sender's clock. */
function at(seq: number, overrides: Partial<EventLogEntry> & { second?: number } = {}): EventLogEntry {
  const { second = 0, event_type = 'EPOCH_COMPLETED', ...rest } = overrides;
  const occurred_at = new Date(START_MS + second * 1_000).toISOString();
  return entryOf({ event_type, message: event_type, seq, occurred_at, ...rest });
}

const pruned = (seq: number, overrides: Parameters<typeof at>[1] = {}) =>
  at(seq, { event_type: 'SEED_PRUNED', message: 'Pruned', ...overrides });

function rowsOf(...entries: readonly EventLogEntry[]): LogRows {
  const log = new LogRows();
  log.add(entries);
  return log;
}

const ids = (log: LogRows) => log.rows.map(({ id }) => id);
/** The rows that show events, without the ids of date rows. */
const shown = (log: LogRows) => ids(log).filter((id) => !id.startsWith('d'));
const found = (log: LogRows, id: string) => log.rows.find((row) => row.id === id)!;
const count = (first: number, last: number, make: (seq: number) => EventLogEntry) =>
  Array.from({ length: last - first + 1 }, (_, index) => make(first + index));

describe('rolled-up events', () => {
  it('share a row by second and type, with environments and the range of their value', () => {
    const log = rowsOf(
      at(1, { env_id: 3, values: { val_accuracy: 84 } }),
      at(2, { env_id: 1, values: { val_accuracy: 83.81 } }),
      at(3, { event_type: 'REWARD_COMPUTED', values: { total_reward: -0.01 } }),
      at(4, { env_id: 3, values: { val_accuracy: 'NaN' } }),
      at(5, { second: 1, values: { val_accuracy: 90 } }),
    );
    expect(shown(log)).toEqual(['r1', 'r3', 'r5']);
    const first = {
      kind: 'rollup',
      events: 3,
      envs: 2,
      envIds: [3, 1],
      low: 83.81,
      high: 84,
      odd: 1,
      lastSeq: 4,
    };
    expect(found(log, 'r1')).toMatchObject(first);
  });

  it.each([
    ['has a message of its own', { message: 'val set is empty' }],
    ['has a severity of warning', { severity: 'warning' }],
    ['is critical', { severity: 'critical' }],
  ] as const)('do not take one in that %s', (_, overrides) => {
    const log = rowsOf(at(1), at(2, overrides), at(3));
    expect(shown(log)).toEqual(['r1', 'e2']);
    expect(found(log, 'r1')).toMatchObject({ events: 2 });
  });

  it('are epochs and rewards, and no other type', () => {
    const others = ['METRICS', 'LOG_RECORD', 'RUN_FAILED', 'PLATEAU_DETECTED', 'SEED_PRUNED'];
    const log = rowsOf(...others.map((event_type, index) => at(index + 1, { event_type })));
    expect(shown(log)).toEqual(['e1', 'e2', 'e3', 'e4', 'e5']);
  });

  it('begin another row when twelve groups began since, so that what arrives is near the end', () => {
    const others = [...count(2, 12, (seq) => pruned(seq, { second: seq })), pruned(14, { second: 14 })];
    const log = rowsOf(at(1), at(13), at(15), ...others);
    expect(shown(log).at(0)).toBe('r1');
    expect(found(log, 'r1')).toMatchObject({ events: 2 });
    expect(shown(log).at(-1)).toBe('r15');
  });

  it('begin another row when one is full, as under a clock that stands still', () => {
    const log = rowsOf(...count(1, GROUP_ENTRIES_MAX + 1, (seq) => at(seq)));
    expect(shown(log)).toEqual(['r1', `r${GROUP_ENTRIES_MAX + 1}`]);
  });
});

describe('individual events', () => {
  it('are rows, twelve of them in a second', () => {
    const log = rowsOf(...count(1, 12, (seq) => pruned(seq)));
    expect(shown(log)).toHaveLength(12);
  });

  it('become one row when there are more, in the place of the first', () => {
    const log = rowsOf(at(1), ...count(2, 8, (seq) => pruned(seq)), at(9, { event_type: 'REWARD_COMPUTED' }));
    log.add(count(10, 13, (seq) => at(seq, { event_type: 'METRICS' })));
    expect(shown(log)).toHaveLength(13);
    log.add([at(14, { event_type: 'METRICS' }), pruned(15), at(16)]);
    expect(shown(log)).toHaveLength(15 - 12);
    log.add([pruned(17), pruned(18)]);
    expect(shown(log)).toEqual(['r1', 'b2', 'r9']);
    const counts = [
      ['SEED_PRUNED', 10],
      ['METRICS', 5],
    ];
    expect(found(log, 'b2')).toMatchObject({ events: 15, counts, isAlarm: false });
  });

  it('of a severity of warning and above share a row only with each other', () => {
    const alarm = (seq: number) => at(seq, { event_type: 'LOG_RECORD', severity: 'error' });
    const log = rowsOf(...count(1, 13, (seq) => pruned(seq)), ...count(14, 25, alarm));
    expect(shown(log)).toEqual(['b1', ...count(14, 25, alarm).map(({ seq }) => `e${seq}`)]);
    log.add([alarm(26)]);
    expect(shown(log)).toEqual(['b1', 'b14']);
    expect(found(log, 'b14')).toMatchObject({ isAlarm: true, events: 13 });
  });
});

describe('the order', () => {
  it('is that of arrival, whatever the clock of the sender says: the newest arrival is the last row', () => {
    const entries = pageCase('clock-set-back');
    const log = rowsOf(...entries);
    expect(shown(log)).toHaveLength(entries.length);
    const last = log.rows.at(-1)!;
    expect(last).toMatchObject({ kind: 'event', seq: entries.length });
    expect(last.kind === 'event' && lineOf(last).slot).toBe('now');
    // A new day is named, although the clock went back.
    expect(log.rows.at(-2)).toMatchObject({ kind: 'date', minuteMs: Date.parse('2026-01-03T10:00:00Z') });
  });

  it('stays that of arrival while one of two clocks is ten minutes ahead, and each minute is named once', () => {
    const entries = count(1, 240, (seq) =>
      pruned(seq, { second: 13 + Math.floor(seq / 2) + (seq % 2) * 600 }),
    );
    const log = rowsOf(...entries);
    expect(shown(log)).toEqual(entries.map(({ seq }) => `e${seq}`));
    const dates = log.rows.filter(({ kind }) => kind === 'date');
    expect(dates).toHaveLength(5);
    expect(new Set(dates.map((row) => row.kind === 'date' && row.minuteMs)).size).toBe(5);
    const clocks = log.rows.map((row) => (row.kind === 'event' ? row.clock : null));
    expect(clocks).toContain('full');
    expect(clocks.filter((clock) => clock === 'full').length).toBeGreaterThan(100);
  });

  it('is unharmed by an entry that comes twice', () => {
    const log = rowsOf(at(1), pruned(2));
    log.add([pruned(2), at(1)]);
    log.add([pruned(2), pruned(3)]);
    expect(log.size).toBe(3);
    expect(shown(log)).toEqual(['r1', 'e2', 'e3']);
  });
});

const dayOf = (ms: number) => Math.floor(ms / 86_400_000);
const hasClock = (row: LogRow) => row.kind === 'event' || row.kind === 'rollup' || row.kind === 'burst';
const daysOf = (rows: readonly LogRow[]) => rows.filter(hasClock).map(({ secondMs }) => dayOf(secondMs));

/** The day that a reader takes each row for: its own, if it tells it, else that of the date row above it. */
function daysRead(rows: readonly LogRow[]): number[] {
  let namedMs = Number.NaN;
  const days: number[] = [];
  for (const row of rows) {
    if (row.kind === 'date') namedMs = row.minuteMs;
    if (hasClock(row)) days.push(dayOf(row.clock === 'dated' ? row.secondMs : namedMs));
  }
  return days;
}

describe('date rows', () => {
  it('stand before the first row, each new minute and each new day', () => {
    const log = rowsOf(
      pruned(1),
      pruned(2, { second: 12 }),
      pruned(3, { second: 13 }),
      pruned(4, { second: 86_413 }),
    );
    expect(ids(log)).toEqual(['d1', 'e1', 'e2', 'd3', 'e3', 'd4', 'e4']);
  });

  it('or the row itself tell the day of every row, however far the clocks of senders jump', () => {
    const [old, ahead, today, further] = [
      '1970-01-01T00:00:00Z',
      '2100-06-01T12:00:00Z',
      '2026-11-28T07:30:00Z',
      '2099-12-31T23:59:59Z',
    ];
    const clocks = [old, ahead, today, '1970-01-01T00:00:01Z', further].map((clock) => Date.parse(clock!));
    const jumping = [...clocks, ...clocks].flatMap((ms) => Array.from({ length: 30 }, () => ms));
    const log = rowsOf(
      ...jumping.map((ms, index) =>
        entryOf({ event_type: 'SEED_PRUNED', seq: index + 1, occurred_at: new Date(ms).toISOString() }),
      ),
    );
    expect(daysRead(log.rows)).toEqual(daysOf(log.rows));
    expect(log.rows.some((row) => row.kind === 'burst' && row.clock === 'dated')).toBe(true);
  });

  it('are gone when the rows before them name the same minute', () => {
    const log = rowsOf(pruned(5));
    log.add([pruned(4)]);
    expect(ids(log)).toEqual(['d4', 'e4', 'e5']);
  });
});

describe('rows', () => {
  it('are objects that do not change: a changed one is another object with the same id', () => {
    const log = rowsOf(pruned(1), at(2));
    const [, event, rollUp] = log.rows;
    log.add([at(3)]);
    expect(log.rows[1]).toBe(event);
    expect(rollUp).toMatchObject({ id: 'r2', events: 1 });
    expect(log.rows[2]).toMatchObject({ id: 'r2', events: 2 });
  });

  it('open to their exact events and close again', () => {
    const log = rowsOf(at(1), pruned(2), at(3));
    log.toggle('r1');
    expect(shown(log)).toEqual(['r1', 'e1', 'e3', 'e2']);
    expect(found(log, 'e3')).toMatchObject({ within: 'r1' });
    expect(found(log, 'r1')).toMatchObject({ isOpen: true });
    log.add([at(4)]);
    expect(shown(log)).toEqual(['r1', 'e1', 'e3', 'e4', 'e2']);
    log.toggle('r1');
    expect(shown(log)).toEqual(['r1', 'e2']);
    log.toggle('e2');
    log.toggle('r99');
    expect(shown(log)).toEqual(['r1', 'e2']);
  });

  it('stay open when their beginning is loaded', () => {
    const log = rowsOf(at(5), at(6));
    log.toggle('r5');
    log.add([at(3), at(4)]);
    expect(shown(log)).toEqual(['r3', 'e3', 'e4', 'e5', 'e6']);
  });

  it('say that there may be more of them until the page before the oldest second is there', () => {
    const log = rowsOf(at(5), at(6), at(7, { second: 1 }));
    log.setEdges({ top: 'more', bottom: null });
    expect(found(log, 'r5')).toMatchObject({ isAtLeast: true });
    expect(found(log, 'r7')).toMatchObject({ isAtLeast: false });
    log.add([at(3), at(4, { second: -5 })].reverse());
    log.add([at(2, { second: -5 })]);
    expect(found(log, 'r3')).toMatchObject({ isAtLeast: false, events: 3 });
    log.setEdges({ top: 'beginning', bottom: null });
    expect(log.rows.some((row) => row.kind === 'rollup' && row.isAtLeast)).toBe(false);
  });

  it('say so at the bottom too while newer events are not loaded', () => {
    const log = rowsOf(at(5), at(7, { second: 1 }));
    log.setEdges({ top: 'beginning', bottom: 'more' });
    expect(found(log, 'r5')).toMatchObject({ isAtLeast: false });
    expect(found(log, 'r7')).toMatchObject({ isAtLeast: true });
  });

  it('are found by the seq of an event, open or closed', () => {
    const log = rowsOf(at(1), pruned(4), at(6));
    const shownBy = (seq: number) => log.rows[log.rowOf(seq)]?.id;
    expect([1, 4, 6].map(shownBy)).toEqual(['r1', 'e4', 'r1']);
    log.toggle('r1');
    expect([1, 4, 6].map(shownBy)).toEqual(['e1', 'e4', 'e6']);
    expect(shownBy(3)).toBe('e4');
    expect(log.rowOf(7)).toBe(-1);
    expect(log.entryOf(4)?.seq).toBe(4);
    expect(log.entryOf(3)).toBeNull();
  });

  it('hold gaps behind the entries that they follow, and edges at both ends', () => {
    const log = rowsOf(pruned(3), pruned(5), pruned(8));
    log.setGaps([gap(5), gap(1), gap(9)]);
    log.setEdges({ top: 'loading', bottom: 'more' });
    expect(ids(log)).toEqual(['edge-top', 'd3', 'e3', 'e5', 'gap5', 'e8', 'edge-bottom']);
    log.setEdges({ top: 'beginning', bottom: null });
    expect(ids(log)).toEqual(['edge-top', 'gap1', 'd3', 'e3', 'e5', 'gap5', 'e8', 'gap9']);
  });
});

function gap(after: number): GapRow {
  return {
    ...{ kind: 'gap', id: `gap${after}`, after, cause: 'numbers', emitterId: 'e', from: 1, to: 1, count: 1 },
    ...{ missing: 1, state: 'waiting', sinceMs: 0, reason: null },
  };
}

describe('what is dropped', () => {
  it('at the top are whole rows of the oldest arrivals, and never the newest', () => {
    const log = rowsOf(at(1), pruned(2), at(3), pruned(4, { second: 1 }), at(5, { second: 1 }));
    expect(log.trimStart(3)).toBe(3);
    expect(shown(log)).toEqual(['e2', 'e4', 'r5']);
    expect(log.trimStart(2, { keepFrom: 2 })).toBeNull();
    expect(log.trimStart(0)).toBe(4);
    expect(shown(log)).toEqual(['r5']);
  });

  it('at the bottom leaves rows as they were before it came', () => {
    const log = rowsOf(at(1), ...count(2, 14, (seq) => pruned(seq)), at(15));
    log.toggle('b2');
    expect(log.trimEnd(13).map(({ seq }) => seq)).toEqual([14, 15]);
    expect(shown(log)).toEqual(['r1', ...count(2, 13, pruned).map(({ seq }) => `e${seq}`)]);
    expect(found(log, 'r1')).toMatchObject({ events: 1 });
    expect(log.trimEnd(2, { keepTo: 5 }).map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10, 11, 12, 13]);
  });
});

/** What arrives: often of the same second, sometimes of a clock that is behind or ahead; all kinds. */
const arrivals = fc
  .array(
    fc.record({
      gapToNext: fc.integer({ min: 1, max: 3 }),
      goesOn: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1),
      skew: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, -1, -70, 600, -90_000, 3_000_000_000),
      event_type: fc.constantFrom(
        'EPOCH_COMPLETED',
        'REWARD_COMPUTED',
        'SEED_PRUNED',
        'METRICS',
        'LOG_RECORD',
      ),
      env_id: fc.constantFrom(null, 0, 1, 2),
      severity: fc.constantFrom('info', 'info', 'info', 'info', 'warning', 'error'),
      message: fc.constantFrom(null, null, null, 'words'),
    }),
    // Without a size, arrays have some ten items, and hardly a group is left open.
    { maxLength: 400, size: 'max' },
  )
  .map((made) => {
    let seq = 0;
    let second = 0;
    return made.map(({ gapToNext, goesOn, skew, message, ...rest }) => {
      seq += gapToNext;
      second += goesOn;
      return at(seq, { ...rest, second: second + skew, message: message ?? rest.event_type } as Parameters<
        typeof at
      >[1]);
    });
  });

type EdgesOfRows = Parameters<LogRows['setEdges']>[0];

const fresh = (entries: readonly EventLogEntry[]) => rowsOf(...entries).rows;
const seqsOf = (log: LogRows) =>
  log.rows.flatMap((row) => log.entriesOf(row).map(({ seq }) => seq)).sort((one, other) => one - other);
const eventsOf = (row: LogRow) =>
  row.kind === 'event' ? 1 : row.kind === 'rollup' || row.kind === 'burst' ? row.events : 0;

describe('whatever arrives', () => {
  it('the same entries give the same rows, whatever the pages and their order', () => {
    fc.assert(
      fc.property(
        arrivals,
        fc.array(fc.nat(), { maxLength: 60, size: 'max' }),
        fc.integer({ min: 1, max: 60 }),
        (entries, order, size) => {
          const pages: EventLogEntry[][] = [];
          for (let from = 0; from < entries.length; from += size)
            pages.push(entries.slice(from, from + size));
          const log = new LogRows();
          while (pages.length > 0) {
            const [page] = pages.splice((order.pop() ?? 0) % pages.length, 1);
            log.add(page!);
          }
          expect(log.rows).toEqual(fresh(entries));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('every entry is in exactly one row, the counts are right, and no id comes twice', () => {
    fc.assert(
      fc.property(arrivals, (entries) => {
        const log = rowsOf(...entries);
        expect(seqsOf(log)).toEqual(entries.map(({ seq }) => seq));
        expect(log.rows.reduce((sum, row) => sum + eventsOf(row), 0)).toBe(entries.length);
        expect(new Set(ids(log)).size).toBe(log.rows.length);
        for (const row of log.rows) if (row.kind === 'rollup' || row.kind === 'burst') log.toggle(row.id);
        const events = log.rows.filter(({ kind }) => kind === 'event');
        expect(events).toHaveLength(entries.length);
        expect(new Set(ids(log)).size).toBe(log.rows.length);
      }),
      { numRuns: 200 },
    );
  });

  it('every event is found in the row that shows it, closed or open', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 60 }), (entries, size) => {
        const log = new LogRows();
        for (let to = entries.length; to > 0; to -= size) log.add(entries.slice(Math.max(0, to - size), to));
        log.setGaps(entries.slice(0, 5).map(({ seq }) => gap(seq)));
        const shows = (seq: number) =>
          log.entriesOf(log.rows[log.rowOf(seq)]!).some((entry) => entry.seq === seq);
        expect(entries.every(({ seq }) => shows(seq))).toBe(true);
        for (const row of log.rows) if (row.kind === 'rollup' || row.kind === 'burst') log.toggle(row.id);
        expect(entries.every(({ seq }) => log.rows[log.rowOf(seq)]?.id === `e${seq}`)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('the day of every row can be read', () => {
    fc.assert(
      fc.property(arrivals, (entries) => {
        const log = rowsOf(...entries);
        expect(daysRead(log.rows)).toEqual(daysOf(log.rows));
      }),
      { numRuns: 100 },
    );
  });

  it('rows do not depend on what was dropped, at either end, before and between', () => {
    const steps = fc.array(
      fc.record({
        does: fc.constantFrom('append', 'append', 'prepend', 'trimStart', 'trimEnd'),
        size: fc.integer({ min: 0, max: 80 }),
      }),
      { maxLength: 30, size: 'max' },
    );
    fc.assert(
      fc.property(arrivals, fc.double({ min: 0, max: 1, noNaN: true }), steps, (entries, begin, todo) => {
        const log = new LogRows();
        let from = Math.floor(entries.length * begin);
        let to = from;
        for (const { does, size } of todo) {
          const kept = seqsOf(log);
          if (does === 'append') {
            log.add(entries.slice(to, to + size));
            to = Math.min(entries.length, to + size);
          } else if (does === 'prepend') {
            log.add(entries.slice(Math.max(0, from - size), from));
            from = Math.max(0, from - size);
          } else if (does === 'trimStart') {
            const dropped = log.trimStart(size);
            if (dropped !== null) from = entries.findIndex(({ seq }) => seq === dropped) + 1;
            expect(log.size <= size || log.rows.filter((row) => eventsOf(row) > 0).length <= 12).toBe(true);
          } else {
            log.trimEnd(size);
            expect(log.size).toBeLessThanOrEqual(size);
            to = entries.findIndex(({ seq }) => seq === log.range?.last) + 1 || from;
            if (log.size === 0) from = to;
          }
          const left = new Set(seqsOf(log));
          if (does === 'append' || does === 'prepend') expect(kept.every((seq) => left.has(seq))).toBe(true);
          expect(log.rows).toEqual(fresh(entries.filter(({ seq }) => left.has(seq))));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gaps and edges that change between pages give the rows that they give at once', () => {
    const edge = fc.constantFrom(null, 'beginning', 'more', 'loading');
    const steps = fc.array(
      fc.record({
        does: fc.constantFrom('append', 'prepend', 'prepend', 'gaps', 'edges'),
        size: fc.integer({ min: 0, max: 80 }),
        gapsAfter: fc.uniqueArray(fc.integer({ min: 0, max: 800 }), { maxLength: 6 }),
        edges: fc.record({ top: edge, bottom: edge }),
        isDrawn: fc.boolean(),
      }),
      { maxLength: 30, size: 'max' },
    );
    fc.assert(
      fc.property(arrivals, fc.double({ min: 0, max: 1, noNaN: true }), steps, (entries, begin, todo) => {
        const log = new LogRows();
        let from = Math.floor(entries.length * begin);
        let to = from;
        let gaps: readonly GapRow[] = [];
        let edges: EdgesOfRows = { top: null, bottom: null };
        for (const step of todo) {
          if (step.does === 'append') {
            log.add(entries.slice(to, to + step.size));
            to = Math.min(entries.length, to + step.size);
          } else if (step.does === 'prepend') {
            log.add(entries.slice(Math.max(0, from - step.size), from));
            from = Math.max(0, from - step.size);
          } else if (step.does === 'gaps') {
            gaps = step.gapsAfter.map(gap);
          } else {
            edges = step.edges;
          }
          log.setGaps(gaps);
          log.setEdges(edges);
          if (!step.isDrawn) continue;
          const once = rowsOf(...entries.slice(from, to));
          once.setGaps(gaps);
          once.setEdges(edges);
          expect(log.rows).toEqual(once.rows);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('ids stay while entries are added behind, except of events that a burst takes in', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 40 }), (entries, size) => {
        const log = new LogRows();
        for (let from = 0; from < entries.length; from += size) {
          const before = log.rows;
          log.add(entries.slice(from, from + size));
          const now = new Set(ids(log));
          const folded = new Set(
            log.rows.flatMap((row) =>
              row.kind === 'burst' ? log.entriesOf(row).map(({ seq }) => `e${seq}`) : [],
            ),
          );
          for (const { id, kind } of before) {
            if (kind !== 'date') expect(now.has(id) || folded.has(id)).toBe(true);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
