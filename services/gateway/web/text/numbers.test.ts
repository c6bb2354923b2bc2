import { describe, expect, it } from 'vitest';
import { columnText, counted, countText, figureText, percentText, rateText, shareText } from './numbers.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [1_234, '1,234'],
    [12_345_678, '12,345,678'],
  ])('the count %d is %s', (value, text) => {
    expect(countText(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '–'],
    [0, '0.00'],
    [-0, '0.00'],
    [0.000_001, '1.0e-6'],
    [0.001_2, '0.001'],
    [0.012_3, '0.012'],
    [-0.000_3, '0.000'],
    [0.83, '0.83'],
    [1.234, '1.23'],
    [-2.345, '-2.35'],
    [83.14, '83.1'],
    [1_204.4, '1,204'],
    [3.2e12, '3.2e12'],
  ])('the figure %s is %s', (value, text) => {
    expect(figureText(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [0.12, '0.120'],
    [-0.031_4, '-0.031'],
    [-0.000_1, '0.000'],
    [12.345_6, '12.346'],
    [-1_204.4, '-1,204'],
  ])('the figure %s is %s among others', (value, text) => {
    expect(columnText(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [83.14, '83.1%'],
    [-0.01, '0.0%'],
    [100, '100.0%'],
  ])('%s percent is %s', (value, text) => {
    expect(percentText(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [0.234, '23%'],
    [1, '100%'],
  ])('the share %s is %s', (value, text) => {
    expect(shareText(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [0, '0.0'],
    [11.46, '11.5'],
    [99.94, '99.9'],
    [99.96, '100'],
    [1_204.4, '1,204'],
  ])('%s events a second are %s', (value, text) => {
    expect(rateText(value)).toBe(text);
  });

  it.each([
    [0, '0 runs'],
    [1, '1 run'],
    [1_200, '1,200 runs'],
  ])('%d of something are %s', (count, text) => {
    expect(counted(count, 'run')).toBe(text);
  });
});
