import { setTimeout } from 'node:timers/promises';

const DELAY_MS_MIN = 200;
const DELAY_MS_MAX = 5_000;

/**
 * Repeats an attempt until it succeeds, with full jitter and a growing ceiling. It is meant for what a service cannot
 * continue without. `retryable` says which failures may pass; other failures and an abort reject. `onFailure` is told
 * of each passing failure.
 */
export async function untilItSucceeds<Result>(
  attempt: () => Promise<Result>,
  options: {
    signal: AbortSignal;
    random: () => number;
    retryable: (error: unknown) => boolean;
    onFailure: (error: unknown, attempts: number) => void;
  },
): Promise<Result> {
  for (let attempts = 1; ; attempts += 1) {
    options.signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (options.signal.aborted || !options.retryable(error)) throw error;
      options.onFailure(error, attempts);
    }
    const ceilingMs = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(attempts, 10));
    await setTimeout(DELAY_MS_MIN + options.random() * ceilingMs, undefined, { signal: options.signal });
  }
}
