import { describe, expect, it } from 'vitest';
import { behindAt, sampleOf } from './behind.ts';

const at = (ms: number) => new Date(1_764_200_000_000 + ms).toISOString();
const ms = (later: number) => 1_764_200_000_000 + later;
const step = (overrides: Partial<Parameters<typeof sampleOf>[0]> = {}) => ({
  ...{ isLive: true, receivedBefore: at(0), received: at(1_000), drawnMs: ms(1_030) },
  ...overrides,
});

describe('how far the page is behind', () => {
  it('is the time from the arrival of the newest event at the server to its drawing', () => {
    expect(sampleOf(step())).toEqual({ behindMs: 30, drawnMs: ms(1_030) });
    expect(sampleOf(step({ drawnMs: ms(8_000) }))).toMatchObject({ behindMs: 7_000 });
  });

  it('is never negative, however the clocks of the services differ', () => {
    expect(sampleOf(step({ drawnMs: ms(900) }))).toMatchObject({ behindMs: 0 });
  });

  it.each([
    ['the first step of a connection', step({ isLive: false })],
    ['a step without an event', step({ received: at(0) })],
    ['a step before the server has said its time', step({ drawnMs: null })],
    ['a time that is none', step({ received: 'soon' })],
  ])('is not measured by %s', (_, said) => {
    expect(sampleOf(said)).toBeNull();
  });

  it.each([
    [300, 1_000, 30],
    [300, 2_001, null],
    [25_000, 99_000, 30],
    [25_000, 100_001, null],
    [null, 1_999, 30],
  ])('of a run with an event every %s ms, %d ms later, is %s', (intervalMs, laterMs, expected) => {
    const sample = { behindMs: 30, drawnMs: ms(0) };
    expect(behindAt(sample, { nowMs: ms(laterMs), intervalMs })).toBe(expected);
  });

  it.each([
    [9_999, 7_000],
    [10_001, null],
  ])('of a page that was late, %d ms later, is %s, however seldom the run sends', (laterMs, expected) => {
    const sample = { behindMs: 7_000, drawnMs: ms(0) };
    expect(behindAt(sample, { nowMs: ms(laterMs), intervalMs: 120_000 })).toBe(expected);
  });
});
