/** Under npm or npx one Ctrl-C arrives twice, from the terminal and from npm. Within this time the two count as one. */
const SAME_SIGNAL_MS = 1_000;

const signals = ['SIGINT', 'SIGTERM'] as const;
let wasAsked = false;
const listeners: (() => void)[] = [];

/** Returns a signal that the first SIGINT or SIGTERM aborts; the second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let stoppingSinceMs = 0;
  const stop = () => {
    if (!controller.signal.aborted) {
      wasAsked = true;
      stoppingSinceMs = performance.now();
      controller.abort();
    } else if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
  };
  listeners.push(stop);
  for (const signal of signals) process.on(signal, stop);
  return controller.signal;
}

/** After a command's work the next signal ends the process, as if nothing had listened. Returns whether one came before. */
export function leaveSignals(): boolean {
  for (const stop of listeners.splice(0)) for (const signal of signals) process.off(signal, stop);
  return wasAsked;
}

/** Whether a signal has asked a command to stop. */
export function stopWasAsked(): boolean {
  return wasAsked;
}
