/** Formats a duration: `1h 02m`, `3m 20s`, `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 3_600) return `${Math.floor(whole / 3_600)}h ${pad(Math.floor((whole % 3_600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m ${pad(whole % 60)}s` : `${whole}s`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** Formats how far apart things are: `250 ms`, `2.1s`, `25s`, `3m 20s`. */
export function formatInterval(ms: number): string {
  if (ms < 1_000) return `${Math.max(1, Math.round(ms))} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)}s` : formatDuration(ms / 1_000);
}

/** Formats a count: `12,345`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Formats an event rate, with one decimal below 100 a second and none above. */
export function formatRate(perSecond: number): string {
  return perSecond < 100 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}

/** Formats a number with two decimals, and an unknown one as `-`. */
export function formatFigure(value: number | null): string {
  return value === null ? '-' : value.toFixed(2);
}

/** The integers below this are written in full. */
const WHOLE_MAX = 1e15;

/** Formats a number of an event for a person: integers in full, others with six digits or down to the decimal point. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size < WHOLE_MAX && (Number.isInteger(value) || size >= 1e6)) return String(Math.round(value));
  return String(Number(value.toPrecision(6)));
}

/** Formats a count that may err either way if it is not exact: `about 12`. */
export function formatApproximate(value: number, isExact: boolean): string {
  return isExact ? formatCount(value) : `about ${formatCount(value)}`;
}

/** Formats a count that is a lower bound if it is not exact: `at least 12`. */
export function formatLowerBound(value: number, isExact: boolean): string {
  return isExact ? formatCount(value) : `at least ${formatCount(value)}`;
}

/** Says how long ago a time was, by this machine's clock. */
export function formatAge(at: string, nowMs: number): string {
  return `${formatDuration((nowMs - Date.parse(at)) / 1_000)} ago`;
}
