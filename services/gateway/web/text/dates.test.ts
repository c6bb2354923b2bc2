import { describe, expect, it } from 'vitest';
import {
  clockText,
  datedClockText,
  dayText,
  instantText,
  minuteHeadText,
  minuteText,
  momentText,
} from './dates.ts';

const MS = Date.UTC(2026, 10, 27, 7, 12, 38, 900);

describe('dates', () => {
  it('have their day, and are UTC', () => {
    expect(dayText(MS)).toBe('Fri 27 Nov 2026');
    expect(minuteText(MS)).toBe('07:12');
    expect(clockText(MS)).toBe('07:12:38');
    expect(minuteHeadText(MS)).toBe('Fri 27 Nov 2026 · 07:12 UTC');
    expect(datedClockText(MS)).toBe('2026-11-27 07:12:38');
    expect(instantText(MS)).toBe('Fri 27 Nov 2026 07:12:38 UTC');
  });

  it('of today leave the day out', () => {
    expect(momentText(MS, MS + 3_600_000)).toBe('07:12 UTC');
    expect(momentText(MS, MS + 86_400_000)).toBe('Fri 27 Nov 2026 07:12 UTC');
    expect(momentText(MS, null)).toBe('Fri 27 Nov 2026 07:12 UTC');
  });

  it('that are none say so', () => {
    expect(dayText(Number.NaN)).toBe('no date');
    expect(clockText(Number.NaN)).toBe('--:--:--');
    expect(datedClockText(Number.NaN)).toBe('no date');
  });
});
