import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import { runAxisOf } from '../strip/run-axis.ts';
import { LANE_PX, lanesLayout, lifeAt, nextLife } from './lanes-layout.ts';
import { lanesOf } from './lanes-model.ts';
import type { SeedEvent } from './seed-events.ts';

const START_MS = Date.parse('2026-11-27T07:00:00Z');
/** One event a second and a thousand in all, on a thousand pixels. */
const axis = runAxisOf({
  timeline: timelineOf(),
  head: { seq: 1_000, receivedAtMs: START_MS + 1_000_000, events: 1_001 },
});
const event = (seq: number, kind: SeedEvent['kind'], env = 0): SeedEvent => ({
  ...{ seq, eventId: `event-${seq}`, atMs: START_MS + seq * 1_000, env, slot: 'r0c0', kind },
  ...{ from: null, to: null, note: '' },
});
const events = [
  event(100, 'germinated'),
  event(200, 'pruned'),
  event(300, 'germinated', 1),
  event(300.5, 'fossilised', 1),
  event(600, 'germinated'),
  event(700, 'germinated', 1),
];
const model = lanesOf({ events, attempts: [] });
const layout = lanesLayout(axis, model, { width: 1_000 });

describe('the layout of lanes', () => {
  it('puts lives where they are on the axis; an open one reaches the end, a short one can be seen', () => {
    const boxes = layout.lanes.map(({ lives }) =>
      lives.map(({ x0, x1 }) => [Math.round(x0), Math.round(x1)]),
    );
    expect(boxes).toEqual([
      [
        [100, 200],
        [600, 1_000],
      ],
      [
        [300, 303],
        [700, 1_000],
      ],
    ]);
    expect(layout.lanes[1]!.top).toBeGreaterThan(LANE_PX);
    expect(layout.lanes.map(({ isFirstOfEnv }) => isFirstOfEnv)).toEqual([false, true]);
    expect(layout.height).toBe(layout.lanes[1]!.top + LANE_PX);
  });

  it.each([
    [150, 5, { lane: 0, life: 0 }],
    [204, 5, { lane: 0, life: 0 }],
    [250, 5, null],
    [301, 25, { lane: 1, life: 0 }],
    [800, 25, { lane: 1, life: 1 }],
    [800, 500, null],
  ])('finds the life at %d, %d', (x, y, expected) => {
    expect(lifeAt(layout, { x, y })).toEqual(expected);
  });

  it.each([
    ['right', { lane: 0, life: 0 }, { lane: 0, life: 1 }],
    ['right', { lane: 0, life: 1 }, null],
    ['left', { lane: 0, life: 0 }, null],
    ['down', { lane: 0, life: 1 }, { lane: 1, life: 1 }],
    ['up', { lane: 1, life: 0 }, { lane: 0, life: 0 }],
    ['up', { lane: 0, life: 0 }, null],
  ] as const)('goes %s from %j to %j', (direction, from, expected) => {
    expect(nextLife(layout, from, direction)).toEqual(expected);
  });
});
