import { clockOf } from '@runlog/schema/events/instant';

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const months = [
  ...(['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun'] as const),
  ...(['Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const),
] as const;

/** All times of the page are UTC, as those of the log are. */

/** `Fri 27 Nov 2026`. */
export function dayText(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'no date';
  const year = date.getUTCFullYear();
  return `${days[date.getUTCDay()]} ${date.getUTCDate()} ${months[date.getUTCMonth()]} ${year}`;
}

/** `07:12`. */
export function minuteText(ms: number): string {
  return clockText(ms).slice(0, 5);
}

/** `07:12:38`. */
export function clockText(ms: number): string {
  return Number.isFinite(ms) ? clockOf(ms) : '--:--:--';
}

/** `2026-11-27 07:12:38`: a moment in a column, as short as it can be with its day. */
export function datedClockText(ms: number): string {
  return Number.isFinite(ms) ? `${new Date(ms).toISOString().split('T')[0]} ${clockOf(ms)}` : 'no date';
}

/** `Fri 27 Nov 2026 · 07:12 UTC`: the head of a minute in the log. */
export function minuteHeadText(ms: number): string {
  return `${dayText(ms)} · ${minuteText(ms)} UTC`;
}

/** `Fri 27 Nov 2026 07:12:38 UTC`. */
export function instantText(ms: number): string {
  return `${dayText(ms)} ${clockText(ms)} UTC`;
}

/** The clock alone for a moment of today, by the server's time; else with its day: `07:32`, `Thu 26 Nov 07:32`. */
export function momentText(ms: number, nowMs: number | null): string {
  const day = dayText(ms);
  if (nowMs !== null && dayText(nowMs) === day) return `${minuteText(ms)} UTC`;
  return `${day} ${minuteText(ms)} UTC`;
}
