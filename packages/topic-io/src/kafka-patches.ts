import { createRequire } from 'node:module';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/** The one release whose internals are known; on any other nothing is replaced. */
const KNOWN_VERSION = '2.2.4';
const CHECK_PENDING_INTERVAL_MS = 10;

/**
 * kafkajs re-arms a timer with a negative delay on every connection, some 900 wake-ups a second and 4 % of a core while
 * idle. The replacement arms it only while requests wait. Call once before the first connection; further calls are free.
 */
export function patchKafkajs(): void {
  const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string };
  if (version !== KNOWN_VERSION) return;
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: typeof RequestQueue.prototype) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
    const throttledMs = this.throttledUntil - Date.now();
    const delayMs = throttledMs > 0 ? throttledMs : CHECK_PENDING_INTERVAL_MS;
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, delayMs);
  };
}
