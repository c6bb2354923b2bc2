/** One Ctrl-C under npm or npx arrives twice, from the terminal and from npm: within this time it counts once. */
const SAME_SIGNAL_MS = 1_000;

/** Aborted by the first SIGINT or SIGTERM; the second one ends the process at once. */
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
