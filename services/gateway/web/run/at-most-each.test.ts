import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { atMostEach } from './at-most-each.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('shows the first change at once, the following ones once a period, and the newest one in any case', () => {
  const source = signal(0);
  const { value, end } = atMostEach(source, 1_000);
  const seen: number[] = [];
  value.subscribe((each) => void seen.push(each));
  source.value = 1;
  source.value = 2;
  vi.advanceTimersByTime(500);
  source.value = 3;
  expect(seen).toEqual([0, 1]);
  vi.advanceTimersByTime(500);
  expect(seen).toEqual([0, 1, 3]);
  vi.advanceTimersByTime(5_000);
  source.value = 4;
  expect(seen).toEqual([0, 1, 3, 4]);
  end();
  source.value = 5;
  vi.advanceTimersByTime(5_000);
  expect(seen).toEqual([0, 1, 3, 4]);
  expect(vi.getTimerCount()).toBe(0);
});

it('shows an urgent change at once', () => {
  const source = signal(0);
  const { value, end } = atMostEach(source, 1_000, (held, next) => held < 10 && next >= 10);
  source.value = 1;
  source.value = 2;
  expect(value.value).toBe(1);
  source.value = 10;
  expect(value.value).toBe(10);
  source.value = 11;
  expect(value.value).toBe(10);
  vi.advanceTimersByTime(1_000);
  expect(value.value).toBe(11);
  end();
});
