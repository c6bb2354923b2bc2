import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import { axisTimeText, placeText } from './place-text.ts';
import { runAxisOf } from './run-axis.ts';

const START_MS = Date.parse('2026-11-27T07:00:00Z');
const axisUpTo = (endMs: number) =>
  runAxisOf({ timeline: timelineOf(), head: { seq: 9_470, receivedAtMs: endMs, events: 9_471 } });

describe('the text of a place in a run', () => {
  it('says the time and which event it is', () => {
    const axis = axisUpTo(START_MS + 9_470_000);
    expect(placeText(axis, 2_221)).toBe('Fri 27 Nov 2026 07:37:01 UTC, event 2,222 of 9,471');
    expect(placeText(axis, 9_470)).toBe('Fri 27 Nov 2026 09:37:50 UTC, event 9,471 of 9,471');
  });

  it('names the day at the ends of a run of several days', () => {
    expect(axisTimeText(axisUpTo(START_MS + 60_000), 1)).toBe('07:01:00');
    expect(axisTimeText(axisUpTo(START_MS + 86_400_000), 0)).toBe('Fri 27 Nov 2026 07:00:00');
  });

  it('says that it is near if no clock passes', () => {
    expect(placeText(axisUpTo(START_MS), 9_470)).toMatch(/^about Fri 27 Nov/);
  });
});
