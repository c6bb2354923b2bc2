import { expect, it } from 'vitest';
import { thresholdMs } from './sasl-authenticator.ts';

it('a session is renewed after three quarters of its life, and not within a second of its beginning', () => {
  expect(thresholdMs(4_000, 0)).toBe(1_000);
  expect(thresholdMs(3_600_000, 0.999)).toBeGreaterThanOrEqual(540_000);
  // Brokers refuse a renewal that comes sooner.
  expect(800 - thresholdMs(800, 0)).toBe(1_100);
});
