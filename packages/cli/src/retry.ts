const DELAY_MS_MIN = 200;
const DELAY_MS_MAX = 5_000;
/**
 * If a server asks for a longer wait, it is asked again after this time anyway: an operator may have fixed it
 * meanwhile.
 */
const RETRY_AFTER_MS_MAX = 60_000;

/** Returns the milliseconds of a Retry-After header (seconds or a date), or 0 if there is none. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  if (header === null) return 0;
  const asked = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(asked) ? Math.min(Math.max(asked, 0), RETRY_AFTER_MS_MAX) : 0;
}

/**
 * Returns the milliseconds to wait before attempt `attempt + 1`. The wait doubles, is never shorter than the server
 * asked for, and is spread at random, so that senders that failed together do not retry together.
 */
export function retryDelayMs(retry: { attempt: number; retryAfterMs: number; random: () => number }): number {
  const ceiling = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(retry.attempt, 10));
  const spread = ceiling / 2 + retry.random() * (ceiling / 2);
  return Math.round(retry.retryAfterMs > 0 ? retry.retryAfterMs + retry.random() * ceiling : spread);
}
