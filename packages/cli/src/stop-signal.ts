/** Under npm or npx one Ctrl-C arrives twice, from the terminal and from npm. Within this time the two count as one. */
const SAME_SIGNAL_MS = 1_000;

/** Returns a signal that the first SIGINT or SIGTERM aborts; the second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let stoppingSinceMs = 0;
  const stop = () => {
    if (!controller.signal.aborted) {
      stoppingSinceMs = performance.now();
      controller.abort();
    } else if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
