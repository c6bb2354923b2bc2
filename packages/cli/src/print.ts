import { once } from 'node:events';

/** Prints a result, and waits for a slow reader of it or for the signal, so that nothing piles up in memory. */
export async function print(text: string, signal: AbortSignal): Promise<void> {
  if (!process.stdout.write(text)) await roomToPrint(signal);
}

/** Resolves when the reader of stdout has taken enough of what was printed, or on abort. */
export async function roomToPrint(signal: AbortSignal): Promise<void> {
  if (!process.stdout.writableNeedDrain || signal.aborted) return;
  await once(process.stdout, 'drain', { signal }).catch(() => undefined);
}
