import { describe, expect, it } from 'vitest';
import { lastPoint, pointOfKey, pointText } from './chart-reading.ts';

const series = {
  ...{ name: 'accuracy', label: 'accuracy' },
  values: [null, 50, null, 60.04, 70, null],
  times: [0, 1, 2, 3, 4, 5].map((second) => Date.UTC(2026, 10, 27, 7, 12, second)),
  ...{ last: 70, low: 50, high: 70 },
};
const press = (key: string, here: number | null, shiftKey = false) =>
  pointOfKey({ key, shiftKey }, { series, here });

describe('a chart read with keys', () => {
  it.each([
    ['ArrowLeft', null, 4],
    ['ArrowRight', null, 4],
    ['ArrowLeft', 4, 3],
    ['ArrowLeft', 3, 1],
    ['ArrowLeft', 1, 1],
    ['ArrowRight', 1, 3],
    ['ArrowRight', 4, 4],
    ['Home', null, 1],
    ['Home', 4, 1],
    ['End', 1, 4],
    ['PageDown', 4, 1],
    ['PageUp', 1, 4],
    ['Tab', 1, undefined],
  ] as const)('goes with %s from %s to %s, over what has no value', (key, here, to) => {
    expect(press(key, here)).toBe(to);
  });

  it('takes greater steps with shift', () => {
    expect(press('ArrowLeft', 4, true)).toBe(1);
    expect(press('ArrowRight', 1, true)).toBe(4);
  });

  it('has nowhere to go without values', () => {
    expect(
      pointOfKey({ key: 'Home', shiftKey: false }, { series: { values: [null] }, here: null }),
    ).toBeNull();
    expect(lastPoint({ values: [null] })).toBeNull();
    expect(lastPoint(series)).toBe(4);
  });

  it('says the value and its time, or the last value and the range', () => {
    expect(pointText(series, 3)).toBe('60.0% at 07:12:03');
    expect(pointText(series, null)).toBe('70.0%, between 50.0% and 70.0%');
    expect(pointText({ ...series, last: null }, null)).toBe('no values yet');
  });
});
