import { createRequire } from 'node:module';
import Connection from 'kafkajs/src/network/connection.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { patchAuthentication } from './sasl-authenticator.ts';

/** The one release whose internals we know. In any other, nothing is replaced. */
const KNOWN_VERSION = '2.2.4';
const CHECK_PENDING_INTERVAL_MS = 10;

let patched = false;

/**
 * Repairs three faults of kafkajs, once and before the first connection:
 * - every connection re-arms a timer with a negative delay, some 900 wake-ups a second and 4 % of a core while idle;
 *   the replacement arms it only while requests wait;
 * - requests that meet a lost connection at the same time each open a socket of their own, and all but the last leak;
 * - after every answer a connection keeps an empty remainder, and copies the whole next answer to join the two.
 *
 * `patchAuthentication` says what it repairs beside them.
 */
export function patchKafkajs(): void {
  const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string };
  if (patched || version !== KNOWN_VERSION) return;
  patched = true;
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: typeof RequestQueue.prototype) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
    const throttledMs = this.throttledUntil - Date.now();
    const delayMs = throttledMs > 0 ? throttledMs : CHECK_PENDING_INTERVAL_MS;
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, delayMs);
  };
  const connect = Connection.prototype.connect;
  const connecting = new WeakMap<object, Promise<unknown>>();
  Connection.prototype.connect = function (this: typeof Connection.prototype) {
    let attempt = connecting.get(this);
    if (attempt === undefined) {
      attempt = connect.call(this).finally(() => connecting.delete(this));
      connecting.set(this, attempt);
    }
    return attempt;
  };
  const { processData } = Connection.prototype;
  Connection.prototype.processData = function (this: typeof Connection.prototype, bytes) {
    if (this.bytesBuffered === 0) this.chunks = [];
    processData.call(this, bytes);
  };
  patchAuthentication();
}
