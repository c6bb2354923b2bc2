import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveredSnapshot } from '../../../../test/support/entry-factory.ts';
import { GapRows } from './gap-rows.ts';

type Emitters = DeliveredSnapshot['emitters'];

function snapshot(
  seq: number,
  emitters: Emitters,
  overrides: Partial<DeliveredSnapshot> = {},
): DeliveredSnapshot {
  return deliveredSnapshot({ position: { epoch: 't', seq }, emitters, ...overrides });
}

const emitter = (last: number, ...gaps: [number, number][]) => ({ last, gaps, seen: 1 });

function stored(seq: number, event: object, overrides: Partial<StoredEvent> = {}): StoredEvent {
  return {
    seq,
    received_at: '2026-01-04T00:00:07.000Z',
    entry: null,
    event: { ...event },
    duplicate: false,
    ...overrides,
  };
}

describe('a gap of numbers', () => {
  it('stands where the page was when it opened, and waits', () => {
    const gaps = new GapRows();
    gaps.noteSnapshot(snapshot(800, { e: emitter(811) }), 1_000);
    expect(gaps.rows).toEqual([]);
    gaps.noteSnapshot(snapshot(900, { e: emitter(850, [812, 848]) }), 41_000);
    expect(gaps.rows).toEqual([
      {
        ...{ kind: 'gap', id: 'gap-e-812', after: 800, cause: 'numbers', emitterId: 'e', from: 812, to: 848 },
        ...{ count: 37, missing: 37, state: 'waiting', sinceMs: 41_000, reason: null },
      },
    ]);
  });

  it('counts down while its numbers arrive, and is recovered with the last', () => {
    const gaps = new GapRows();
    gaps.noteSnapshot(snapshot(1, { e: emitter(3) }), 0);
    gaps.noteSnapshot(snapshot(2, { e: emitter(9, [4, 8]) }), 0);
    const [opened] = gaps.rows;
    gaps.noteSnapshot(snapshot(3, { e: emitter(9, [4, 5], [7, 8]) }), 0);
    expect(gaps.rows).toMatchObject([{ id: 'gap-e-4', missing: 4, count: 5, state: 'waiting' }]);
    expect(opened).toMatchObject({ missing: 5 });
    gaps.noteSnapshot(snapshot(4, { e: emitter(9) }), 0);
    expect(gaps.rows).toMatchObject([{ id: 'gap-e-4', missing: 0, state: 'recovered' }]);
    expect(gaps.rows).toBe(gaps.rows);
  });

  it('is not coming when the run ended, waits again when it goes on, and may still recover', () => {
    const gaps = new GapRows();
    const emitters = { e: emitter(9, [4, 8]) };
    gaps.noteSnapshot(snapshot(1, { e: emitter(3) }), 0);
    gaps.noteSnapshot(snapshot(2, emitters), 0);
    gaps.noteSnapshot(snapshot(3, emitters, { status: 'failed' }), 0);
    expect(gaps.rows).toMatchObject([{ state: 'not_coming', missing: 5 }]);
    gaps.noteSnapshot(snapshot(4, emitters), 0);
    expect(gaps.rows).toMatchObject([{ state: 'waiting' }]);
    gaps.noteSnapshot(snapshot(5, { e: emitter(9) }, { status: 'finished' }), 0);
    expect(gaps.rows).toMatchObject([{ state: 'recovered' }]);
  });

  it.each<[string, Emitters]>([
    ['its gap was given up', { e: { ...emitter(99, [90, 98]), forgotten: { through: 8, missing: 5 } } }],
    ['its emitter was forgotten', {}],
  ])('is not coming when %s', (_, emitters) => {
    const gaps = new GapRows();
    gaps.noteSnapshot(snapshot(1, { e: emitter(3) }), 0);
    gaps.noteSnapshot(snapshot(2, { e: emitter(9, [4, 8]) }), 0);
    gaps.noteSnapshot(snapshot(3, emitters), 0);
    expect(gaps.rows[0]).toMatchObject({ id: 'gap-e-4', state: 'not_coming', missing: 5 });
  });

  it('that was there before has no place, until the event behind it is loaded', () => {
    const gaps = new GapRows();
    gaps.noteSnapshot(snapshot(900, { e: emitter(850, [812, 848]) }), 0);
    expect(gaps.rows).toEqual([]);
    gaps.noteHistory([
      stored(500, { emitter_id: 'other', emitter_seq: 849 }),
      stored(510, { emitter_id: 'e', emitter_seq: 849 }, { duplicate: true }),
      stored(520, { emitter_id: 'e', emitter_seq: 849 }),
    ]);
    const sinceMs = Date.parse('2026-01-04T00:00:07Z');
    expect(gaps.rows).toMatchObject([{ after: 519, sinceMs, missing: 37, state: 'waiting' }]);
  });

  it('follows every number that an emitter gave and that has not arrived, and no other', () => {
    const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 })), {
      maxLength: 12,
    });
    const arrive = fc.array(fc.nat({ max: 80 }), { maxLength: 80 });
    fc.assert(
      fc.property(ranges, arrive, (made, arriving) => {
        const gaps = new GapRows();
        let last = 0;
        let open: [number, number][] = [];
        gaps.noteSnapshot(snapshot(0, { e: emitter(0) }), 0);
        let seq = 1;
        const note = () => {
          gaps.noteSnapshot(snapshot(seq, { e: emitter(last, ...open) }), 0);
          seq += 1;
          const missing = open.reduce((sum, [from, to]) => sum + to - from + 1, 0);
          expect(gaps.rows.reduce((sum, row) => sum + (row.missing ?? 0), 0)).toBe(missing);
          const waiting = gaps.rows.filter(({ state }) => state === 'waiting');
          for (const [from, to] of open) {
            expect(waiting.filter((row) => row.from <= from && to <= row.to)).toHaveLength(1);
          }
          expect(new Set(gaps.rows.map(({ id }) => id)).size).toBe(gaps.rows.length);
        };
        for (const [here, absent] of made) {
          open = [...open, [last + here + 1, last + here + absent]];
          last += here + absent + 1;
          note();
        }
        for (const number of arriving) {
          open = open.flatMap(([from, to]): [number, number][] => {
            if (number < from || number > to) return [[from, to]];
            const halves: [number, number][] = [
              [from, number - 1],
              [number + 1, to],
            ];
            return halves.filter(([low, high]) => low <= high);
          });
          note();
        }
      }),
    );
  });

  it('leaves room for new ones: beyond a thousand the closed ones go first', () => {
    const gaps = new GapRows();
    gaps.noteSnapshot(snapshot(0, { e: emitter(1), f: emitter(1) }), 0);
    gaps.noteSnapshot(snapshot(1, { e: emitter(3, [2, 2]), f: emitter(1) }), 0);
    for (let at = 1; at <= 1_100; at += 1) {
      const number = 2 * at;
      gaps.noteSnapshot(
        snapshot(at + 1, { e: emitter(3, [2, 2]), f: emitter(number + 1, [number, number]) }),
        0,
      );
    }
    expect(gaps.rows).toHaveLength(1_000);
    expect(gaps.rows[0]).toMatchObject({ emitterId: 'e', state: 'waiting' });
  });

  it('that was dropped because there are too many does not open again', () => {
    const gaps = new GapRows();
    const many = (from: number) => {
      const open = Array.from({ length: 20 }, (_, at): [number, number] => [2 * at + from, 2 * at + from]);
      return Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`e${at}`, emitter(1_000, ...open)]));
    };
    gaps.noteSnapshot(snapshot(1, { e: emitter(1) }), 0);
    gaps.noteSnapshot(snapshot(2, many(2)), 0);
    const before = gaps.rows.map(({ id }) => id);
    expect(before).toHaveLength(1_000);
    gaps.noteSnapshot(snapshot(3, many(2)), 0);
    expect(gaps.rows.map(({ id }) => id)).toEqual(before);
  });
});

describe('a gap of the stream', () => {
  it('stands between the entries that it parts, and goes when it is filled', () => {
    const gaps = new GapRows();
    gaps.noteStream({ after: 41, before: 1_057, count: 1_015, reason: 'too_many' }, 5);
    gaps.noteStream({ after: 41, before: 1_057, count: 1_015, reason: 'too_many' }, 6);
    expect(gaps.rows).toMatchObject([
      {
        id: 'gap-stream-41',
        after: 41,
        cause: 'stream',
        from: 42,
        to: 1_056,
        missing: 1_015,
        reason: 'too_many',
        sinceMs: 5,
      },
    ]);
    gaps.fillStream(41);
    expect(gaps.rows).toEqual([]);
  });
});

describe('the gaps of the past', () => {
  const past = () => new GapRows({ isPast: true });
  const opened = { e: emitter(850, [812, 848]) };
  const behind = stored(520, { emitter_id: 'e', emitter_seq: 849 });
  const row = { id: 'gap-e-812', after: 519, sinceMs: Date.parse('2026-01-04T00:00:07Z'), asOfMs: 9_000 };

  it('have their places whether their history comes before their state or behind it', () => {
    const [before, after] = [past(), past()];
    before.noteHistory([behind]);
    before.noteSnapshot(snapshot(900, opened), 9_000);
    after.noteSnapshot(snapshot(900, opened), 9_000);
    expect(after.rows).toEqual([]);
    after.noteHistory([behind]);
    expect(before.rows).toMatchObject([row]);
    expect(after.rows).toEqual(before.rows);
  });

  it('stand where they opened, and not where the state was that told of them', () => {
    const gaps = past();
    gaps.noteSnapshot(snapshot(400, { e: emitter(3) }), 8_000);
    gaps.noteHistory([behind]);
    gaps.noteSnapshot(snapshot(900, opened), 9_000);
    expect(gaps.rows).toMatchObject([row]);
    gaps.noteSnapshot(snapshot(901, opened), 9_500);
    expect(gaps.rows).toMatchObject([{ ...row, asOfMs: 9_500 }]);
  });
});
