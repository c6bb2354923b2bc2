/** What stands where a number is not known. */
export const NO_NUMBER = '–';

/** `1,234`. */
export function countText(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** A figure with three digits that count: `0.012`, `1.23`, `83.1`, `1,204`. */
export function figureText(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NO_NUMBER;
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.000_1 || size >= 1e9)) return value.toExponential(1).replace('e+', 'e');
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 || size === 0 ? 2 : size >= 0.1 ? 2 : 3;
  return withoutMinusZero(
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  );
}

/** A figure below others of its kind, with three decimals, so that their points stand below each other: `0.120`, `-0.031`. */
export function columnText(value: number | null): string {
  if (value === null || !Number.isFinite(value) || Math.abs(value) >= 100) return figureText(value);
  return withoutMinusZero(value.toFixed(3));
}

/** `83.1%` of a value that is in percent already. */
export function percentText(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NO_NUMBER;
  return `${withoutMinusZero(value.toFixed(1))}%`;
}

/** `23%` of a share between 0 and 1. */
export function shareText(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NO_NUMBER;
  return `${withoutMinusZero((value * 100).toFixed(0))}%`;
}

/** Events per second, with one decimal below 100 and none above: `11.5`, `1,204`. */
export function rateText(perSecond: number | null): string {
  if (perSecond === null || !Number.isFinite(perSecond)) return NO_NUMBER;
  return perSecond < 99.95 ? perSecond.toFixed(1) : countText(perSecond);
}

/** `1 event`, `2 events`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

function withoutMinusZero(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}
