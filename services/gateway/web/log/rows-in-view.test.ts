import { describe, expect, it } from 'vitest';
import type { EdgeRow, LogRow } from './log-row.ts';
import { anchorOf, heldTop, minuteAt, rowsInView } from './rows-in-view.ts';

const box = { top: 0, height: 100, rowHeight: 20 };
const event = (seq: number): LogRow =>
  ({ kind: 'event', id: `e${seq}`, seq, secondMs: 0, clock: 'second', within: null }) as unknown as LogRow;
const events = (from: number, to: number): LogRow[] =>
  Array.from({ length: to - from + 1 }, (_, at) => event(from + at));
const edge: EdgeRow = { kind: 'edge', id: 'edge-top', at: 'top', state: 'loading' };

describe('the rows in view', () => {
  it.each([
    [
      { top: 0, rows: 0 },
      { first: 0, last: -1, isAtEnd: true },
    ],
    [
      { top: 0, rows: 3 },
      { first: 0, last: 2, isAtEnd: true },
    ],
    [
      { top: 0, rows: 5 },
      { first: 0, last: 4, isAtEnd: true },
    ],
    [
      { top: 0, rows: 6 },
      { first: 0, last: 4, isAtEnd: false },
    ],
    [
      { top: 10, rows: 100 },
      { first: 0, last: 5, isAtEnd: false },
    ],
    [
      { top: 1_900, rows: 100 },
      { first: 95, last: 99, isAtEnd: true },
    ],
    [
      { top: 1_890, rows: 100 },
      { first: 94, last: 99, isAtEnd: true },
    ],
    [
      { top: 1_880, rows: 100 },
      { first: 94, last: 98, isAtEnd: false },
    ],
    // The browser has not yet been told that there are fewer rows.
    [
      { top: 5_000, rows: 10 },
      { first: 9, last: 9, isAtEnd: true },
    ],
  ])('of %o are %o', ({ top, rows }, expected) => {
    expect(rowsInView({ ...box, top }, rows)).toMatchObject(expected);
  });

  it('are drawn with some above and below, and none that do not exist', () => {
    expect(rowsInView({ ...box, top: 1_000 }, 1_000)).toMatchObject({ drawnFrom: 38, drawnTo: 67 });
    expect(rowsInView({ ...box, top: 0 }, 7)).toMatchObject({ drawnFrom: 0, drawnTo: 7 });
  });
});

describe('a reader', () => {
  it('stays at a row when older ones come before it, and when the oldest are dropped', () => {
    const anchor = anchorOf(events(100, 199), { ...box, top: 210 });
    expect(anchor).toMatchObject({ id: 'e111', offset: 10 });
    expect(heldTop(anchor, events(100, 300), box)).toBeNull();
    expect(heldTop(anchor, events(50, 199), box)).toBe(61 * 20 - 10);
    expect(heldTop(anchor, events(105, 199), box)).toBe(6 * 20 - 10);
  });

  it('stays at the place of a row that became part of another', () => {
    const anchor = anchorOf(events(100, 199), { ...box, top: 200 });
    expect(heldTop(anchor, [edge, ...events(90, 109), ...events(112, 199)], box)).toBe(21 * 20);
    const rolled = { kind: 'rollup', id: 'r90', seq: 90, lastSeq: 115 } as unknown as LogRow;
    expect(heldTop(anchor, [edge, event(89), rolled, event(116)], box)).toBe(40);
  });

  it('does not hold on to an edge, which goes when a page has come', () => {
    expect(anchorOf([edge, ...events(1, 9)], box)).toMatchObject({ id: 'e1', offset: 20 });
    expect(anchorOf([edge], box)).toBeNull();
  });
});

describe('the minute of a row', () => {
  it('is that of the date above it', () => {
    const date = (minuteMs: number): LogRow => ({ kind: 'date', id: `d${minuteMs}`, minuteMs });
    const rows = [edge, date(1), event(1), event(2), date(2), event(3)];
    expect(rows.map((_, at) => minuteAt(rows, at))).toEqual([null, 1, 1, 1, 2, 2]);
    expect(minuteAt([], 0)).toBeNull();
  });
});
