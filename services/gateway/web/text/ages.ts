const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something takes or took, in one unit: `0.03 s`, `0.4 s`, `42 s`, `14 m`, `3 h`, `2 d`. */
export function ageText(ms: number): string {
  if (Number.isNaN(ms)) return '?';
  const age = Math.max(0, ms);
  if (age < 95) return `${(age / SECOND).toFixed(2)} s`;
  if (age < 9_950) return `${(age / SECOND).toFixed(1)} s`;
  if (age < 59.5 * SECOND) return `${Math.round(age / SECOND)} s`;
  if (age < 59.5 * MINUTE) return `${Math.round(age / MINUTE)} m`;
  if (age < 23.5 * HOUR) return `${Math.round(age / HOUR)} h`;
  return `${Math.round(age / DAY).toLocaleString('en')} d`;
}

/** `0.4 s ago`, `3 m ago`. */
export function agoText(ms: number): string {
  return `${ageText(ms)} ago`;
}

/** `00:41`, `12:07`, `3:00:05`: for what is counted each second. */
export function stopwatchText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND));
  const two = (value: number) => String(value).padStart(2, '0');
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3_600 ? rest : `${Math.floor(seconds / 3_600)}:${rest}`;
}
