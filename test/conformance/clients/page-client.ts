/** `packages/client` in a page: the test calls `tell`, and hears by `report`. */
import { DrivenClient } from './drive-client.ts';

declare global {
  var report: (line: object) => void;
  var conformance: DrivenClient;
}

globalThis.conformance = new DrivenClient({
  webSocket: WebSocket,
  fetch: (...request) => fetch(...request),
  random: Math.random,
  report: (line) => globalThis.report(line),
});
