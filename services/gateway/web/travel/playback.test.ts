import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAUSE_MS_MAX, Playback } from './playback.ts';

const entry = (seq: number, atMs: number): EventLogEntry =>
  ({ seq, occurred_at: new Date(atMs).toISOString() }) as unknown as EventLogEntry;
const seqs = (entries: readonly EventLogEntry[]) => entries.map(({ seq }) => seq);

describe('playing a log', () => {
  it('lets each event come when its own time has passed', () => {
    const playback = new Playback(0);
    playback.push([entry(1, 100), entry(2, 100), entry(3, 250)]);
    expect(seqs(playback.advance(99))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([1, 2]);
    expect(seqs(playback.advance(149))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([3]);
    expect(playback.waiting).toBe(0);
  });

  it('is faster if more time passes', () => {
    const playback = new Playback(0);
    playback.push(Array.from({ length: 100 }, (_, at) => entry(at, at * 10)));
    expect(playback.advance(500)).toHaveLength(51);
    expect(playback.advance(5_000)).toHaveLength(49);
  });

  it('shortens a long pause, and says how long it was', () => {
    const playback = new Playback(0);
    playback.push([entry(1, 240_000), entry(2, 240_010)]);
    expect(playback.shortenedMs).toBe(240_000);
    expect(seqs(playback.advance(PAUSE_MS_MAX - 1))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([1]);
    expect(playback.shortenedMs).toBeNull();
    expect(seqs(playback.advance(10))).toEqual([2]);
  });

  it('does not wait for a clock that went back, or that says nothing', () => {
    const playback = new Playback(10_000);
    playback.push([entry(1, 5_000), { seq: 2, occurred_at: 'never' } as unknown as EventLogEntry]);
    expect(seqs(playback.advance(0))).toEqual([1, 2]);
  });

  it('does not save up the time in which nothing waited', () => {
    const playback = new Playback(0);
    expect(playback.advance(60_000)).toEqual([]);
    playback.push([entry(1, 1_000)]);
    expect(seqs(playback.advance(999))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([1]);
  });

  it('has an event that is a little older follow at once, and loses no time by it', () => {
    const playback = new Playback(0);
    playback.push([entry(1, 2_000), entry(2, 1_500), entry(3, 3_000)]);
    expect(seqs(playback.advance(2_000))).toEqual([1, 2]);
    expect(seqs(playback.advance(999))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([3]);
  });

  it('goes on from a clock that was set back', () => {
    const playback = new Playback(0);
    playback.push([entry(1, 1_000), entry(2, -7_200_000), entry(3, -7_199_000)]);
    expect(seqs(playback.advance(1_000))).toEqual([1, 2]);
    expect(seqs(playback.advance(999))).toEqual([]);
    expect(seqs(playback.advance(1))).toEqual([3]);
  });

  it('begins with an event whose time is not known', () => {
    const playback = new Playback(Number.NaN);
    playback.push([entry(1, 5_000), entry(2, 5_500)]);
    expect(seqs(playback.advance(0))).toEqual([1]);
    expect(seqs(playback.advance(500))).toEqual([2]);
  });

  it('hands over each entry once, in order, and waits for none longer than the bound', () => {
    const times = fc.array(fc.integer({ min: -1e9, max: 1e9 }), { maxLength: 40 });
    fc.assert(
      fc.property(times, (all) => {
        const playback = new Playback(0);
        playback.push(all.map((ms, at) => entry(at, ms)));
        const got: number[] = [];
        for (let step = 0; step < all.length; step += 1) {
          const before = got.length;
          got.push(...seqs(playback.advance(PAUSE_MS_MAX)));
          expect(got.length > before || got.length === all.length).toBe(true);
        }
        expect(got).toEqual(all.map((_, at) => at));
      }),
    );
  });
});
