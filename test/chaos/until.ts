import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

type Condition = () => boolean | Promise<boolean>;

/** Whether the condition came to hold within the time. What it throws counts as "not yet". */
export async function comesToHold(condition: Condition, withinMs: number): Promise<boolean> {
  const endsMs = performance.now() + withinMs;
  for (;;) {
    try {
      if (await condition()) return true;
    } catch {
      // What is asked may be down at the moment.
    }
    if (performance.now() >= endsMs) return false;
    await delay(POLL_MS);
  }
}

/** Rejects, naming what was waited for, when the condition does not come to hold in time. */
export async function until(
  condition: Condition,
  { what, withinMs }: { what: () => string; withinMs: number },
): Promise<void> {
  if (!(await comesToHold(condition, withinMs))) throw new Error(`not within ${withinMs} ms: ${what()}`);
}

/** The answer, asked again until there is one. */
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
