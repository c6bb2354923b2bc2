import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { entryOf } from '../../../../test/support/entry-factory.ts';
import { createDripFeed } from './drip-feed.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const pruned = (seq: number) => entryOf({ seq, event_type: 'SEED_PRUNED', message: 'Pruned' });
const seqs = (entries: readonly EventLogEntry[]) => entries.map(({ seq }) => seq);

function startFeed() {
  const world = { isFollowing: true, isMotionReduced: false, shown: [] as number[] };
  const feed = createDripFeed({
    show: (entries) => world.shown.push(...seqs(entries)),
    isFollowing: () => world.isFollowing,
    nowMs: () => Date.now(),
    isMotionReduced: () => world.isMotionReduced,
  });
  return { world, feed };
}

describe('the drip between the stream and the rows', () => {
  it('is off at first: everything is shown at once', () => {
    const { feed, world } = startFeed();
    expect(seqs(feed.push([pruned(1), pruned(2)]))).toEqual([1, 2]);
    expect(feed.state.value).toEqual({ kind: 'off' });
    expect(vi.getTimerCount()).toBe(0);
    expect(world.shown).toEqual([]);
  });

  it('holds events for a second when it is on, says how late they are, and shows each once', () => {
    const { feed, world } = startFeed();
    feed.toggle();
    expect(seqs(feed.push([pruned(1), pruned(2)]))).toEqual([]);
    vi.advanceTimersByTime(800);
    expect(feed.state.value).toEqual({ kind: 'dripping', delayMs: 800 });
    expect(world.shown).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(world.shown).toEqual([1, 2]);
    feed[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets go at once what waits when it is switched off', () => {
    const { feed, world } = startFeed();
    feed.toggle();
    feed.push([pruned(1), pruned(2)]);
    feed.toggle();
    expect(world.shown).toEqual([1, 2]);
    expect(feed.state.value).toEqual({ kind: 'off' });
  });

  it.each([
    ['somebody reads', { isFollowing: false }, 'reading'],
    ['nothing may move', { isMotionReduced: true }, 'motion'],
  ] as const)('rests while %s, and holds nothing', (_, change, because) => {
    const { feed, world } = startFeed();
    feed.toggle();
    feed.push([pruned(1)]);
    Object.assign(world, change);
    expect(seqs(feed.push([pruned(2)]))).toEqual([1, 2]);
    vi.advanceTimersByTime(100);
    expect(feed.state.value).toEqual({ kind: 'resting', because });
    feed[Symbol.dispose]();
  });

  it('rests above fifteen lines a second', () => {
    const { feed } = startFeed();
    feed.toggle();
    expect(feed.push(Array.from({ length: 100 }, (_, at) => pruned(at)))).toHaveLength(100);
    vi.advanceTimersByTime(100);
    expect(feed.state.value).toEqual({ kind: 'resting', because: 'rate' });
    feed[Symbol.dispose]();
  });

  it('forgets what waits when the log begins anew', () => {
    const { feed, world } = startFeed();
    feed.toggle();
    feed.push([pruned(1)]);
    feed.clear();
    vi.advanceTimersByTime(5_000);
    expect(world.shown).toEqual([]);
    expect(seqs(feed.push([pruned(2)]))).toEqual([]);
    feed[Symbol.dispose]();
  });
});
