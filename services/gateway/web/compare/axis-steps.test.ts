import { describe, expect, it } from 'vitest';
import { ageText } from '../text/ages.ts';
import { figureText, shareText } from '../text/numbers.ts';
import { countSteps, stepsThatReadApart, timeSteps, valueSteps } from './axis-steps.ts';

const ageOf = (seconds: number) => ageText(seconds * 1_000);

describe('the steps of an axis', () => {
  it.each([
    ['a figure with three decimals', valueSteps, [0, 0.02], figureText, 0.001],
    ['a share in whole percents', valueSteps, [0.05, 0.3], shareText, 0.01],
    ['rounds', countSteps, [0, 3], figureText, 1],
    ['five minutes', timeSteps, [0, 300], ageOf, 60],
    ['a minute', timeSteps, [0, 55], ageOf, 1],
    ['two hours', timeSteps, [0, 7_200], ageOf, 3_600],
  ] as const)('of %s begin where its places read apart', (_name, steps, range, textOf, least) => {
    expect(stepsThatReadApart(steps, range, textOf)[0]).toBe(least);
  });

  it('have no parts of a unit that their text does not say', () => {
    expect(timeSteps.filter((seconds) => seconds > 60 && seconds % 60 !== 0)).toEqual([]);
    expect(timeSteps.filter((seconds) => seconds > 3_600 && seconds % 3_600 !== 0)).toEqual([]);
  });

  it('are few, even if the range is none', () => {
    expect(stepsThatReadApart(valueSteps, [1, 1], figureText).length).toBeLessThanOrEqual(valueSteps.length);
    expect(stepsThatReadApart(valueSteps, [Number.NaN, 1], figureText)).toEqual([]);
  });
});
