/**
 * Reports an error of the user's own code as if nobody had caught it: `reportError` in a browser, an uncaught exception of a
 * later turn in Node. So an `EventTarget` treats its listeners, too.
 */
export function reportUncaught(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError !== undefined) reportError(error);
  else {
    queueMicrotask(() => {
      throw error;
    });
  }
}
