import { describe, expect, it } from 'vitest';
import { ageText, agoText, stopwatchText } from './ages.ts';

describe('ages', () => {
  it.each([
    [-5, '0.00 s'],
    [0, '0.00 s'],
    [30, '0.03 s'],
    [94, '0.09 s'],
    [95, '0.1 s'],
    [400, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [42_300, '42 s'],
    [59_499, '59 s'],
    [59_500, '1 m'],
    [14 * 60_000, '14 m'],
    [59.6 * 60_000, '1 h'],
    [3 * 3_600_000, '3 h'],
    [23.6 * 3_600_000, '1 d'],
    [2_000 * 86_400_000, '2,000 d'],
    [Number.NaN, '?'],
  ])('%d ms are %s', (ms, text) => {
    expect(ageText(ms)).toBe(text);
    expect(agoText(ms)).toBe(`${text} ago`);
  });

  it.each([
    [-1, '00:00'],
    [41_900, '00:41'],
    [727_000, '12:07'],
    [10_805_000, '3:00:05'],
    [360_000_000, '100:00:00'],
  ])('%d ms on a stopwatch are %s', (ms, text) => {
    expect(stopwatchText(ms)).toBe(text);
  });
});
