const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const decimalSteps = (from: number, unit = 1): readonly number[] =>
  Array.from({ length: 18 - from }, (_, at) =>
    [1, 2, 5].map((digit) => unit * Number(`${digit}e${from + at}`)),
  ).flat();

/** The distances that places of an axis may have: a quarter of a power of ten reads unevenly once it is rounded. */
export const valueSteps = decimalSteps(-12);
/** For rounds and steps, of which there are no parts. */
export const countSteps = decimalSteps(0);
/** In seconds: each is as long as its text says. */
export const timeSteps: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE],
  ...[HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR],
  ...decimalSteps(0, DAY),
];

/** More places than an axis ever has room for. */
const PLACES_MAX = 60;

/** Leaves out the steps of which two places of a range would read the same. */
export function stepsThatReadApart(
  steps: readonly number[],
  [low, high]: readonly [low: number, high: number],
  textOf: (value: number) => string,
): number[] {
  return steps.filter((step) => {
    const texts = new Set<string>();
    let count = 0;
    for (let at = Math.ceil(low / step); at * step <= high && count <= PLACES_MAX; at += 1) {
      texts.add(textOf(at * step));
      count += 1;
    }
    return low <= high && count === texts.size && count <= PLACES_MAX;
  });
}
