/** The last millisecond of the year 9999, and the first of the year 0. */
const MS_MAX = 253_402_300_799_999;
const MS_MIN = -62_167_219_200_000;

/** Formats a time in milliseconds since 1970 as `2026-01-03 23:59:47`, in UTC. */
export function momentText(ms: number): string {
  if (!(ms >= MS_MIN && ms <= MS_MAX)) return '-';
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}
