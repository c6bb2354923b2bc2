import { describe, expect, it } from 'vitest';
import { ownTimeOf, timeOfNanoseconds } from './own-time.ts';

describe('the own time of an event', () => {
  it.each([
    ['2026-01-03T23:59:47Z', false],
    ['2026-01-03T23:59:47.123Z', false],
    ['2026-01-03T23:59:47.123000', false],
    ['2026-01-03T23:59:47.123456+00:00', true],
    [1_767_484_787, false],
    [1_767_484_787.123, false],
    [1_767_484_787.123456, true],
    [1_767_484_787_123, false],
    ['1767484787123', false],
    [1_767_484_787_123_456, true],
  ])('%s is fine enough to tell two equal events apart: %s', (value, isFine) => {
    expect(ownTimeOf(value)?.isFine).toBe(isFine);
  });

  it.each([
    [1_767_484_787_000_000_000n, false],
    [1_767_484_787_123_000_000n, false],
    [1_767_484_787_123_000_001n, true],
  ])('%s ns is fine enough: %s', (nanoseconds, isFine) => {
    expect(timeOfNanoseconds(nanoseconds)?.isFine).toBe(isFine);
  });
});
