/** Formats a duration: `1h 02m`, `3m 20s`, `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 3_600) return `${Math.floor(whole / 3_600)}h ${pad(Math.floor((whole % 3_600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m ${pad(whole % 60)}s` : `${whole}s`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
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

/** Says how long ago a time was, by this machine's clock. */
export function formatAge(at: string, nowMs: number): string {
  return `${formatDuration((nowMs - Date.parse(at)) / 1_000)} ago`;
}
