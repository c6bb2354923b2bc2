import { setTimeout as delay } from 'node:timers/promises';

const STEP_MS = 100;

/** Calls `make` with 0 to `count` - 1, so many a second. */
export async function paced(
  of: { events: number; eventsPerSecond: number; signal: AbortSignal },
  make: (n: number) => void,
): Promise<void> {
  const startMs = performance.now();
  for (let n = 0; n < of.events; ) {
    const due = Math.min(of.events, ((performance.now() - startMs) / 1_000) * of.eventsPerSecond);
    for (; n < due; n += 1) make(n);
    await delay(STEP_MS, undefined, { signal: of.signal });
  }
}
