import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

type Condition = () => boolean | Promise<boolean>;

/** Whether the condition came to hold within the time. An error that it throws counts as "not yet". */
export async function comesToHold(condition: Condition, withinMs: number): Promise<boolean> {
  const endsMs = performance.now() + withinMs;
  for (;;) {
    try {
      if (await condition()) return true;
    } catch {
      // The process that is asked may be down at the moment.
    }
    if (performance.now() >= endsMs) return false;
    await delay(POLL_MS);
  }
}

/** Waits for the condition. Rejects if it does not come to hold in time, and names what was waited for. */
export async function until(
  condition: Condition,
  { what, withinMs }: { what: () => string; withinMs: number },
): Promise<void> {
  if (!(await comesToHold(condition, withinMs))) throw new Error(`not within ${withinMs} ms: ${what()}`);
}

/** Asks until there is an answer, and returns it. */
export async function answerTo<Answer>(
  ask: () => Promise<Answer>,
  wait: { what: () => string; withinMs: number },
): Promise<Answer> {
  let answer: { readonly value: Answer } | null = null;
  await until(async () => {
    answer = { value: await ask() };
    return true;
  }, wait);
  return (answer as unknown as { readonly value: Answer }).value;
}
