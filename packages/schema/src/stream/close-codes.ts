/**
 * Every code that closes a stream, and whether a client should come back. The gateway closes with these, the client's
 * reconnect policy and the page read them, and AsyncAPI lists them. 4000-4499 mean "reconnect", 4500-4999 "do not".
 */
export const closeCodes = {
  draining: { close: 4001, reconnect: true },
  server_error: { close: 4002, reconnect: true },
  slow_client: { close: 4008, reconnect: true },
  no_pong: { close: 4012, reconnect: true },
  bad_key: { close: 4500, reconnect: false },
  no_auth: { close: 4502, reconnect: false },
  frame_too_large: { close: 4504, reconnect: false },
  /** RFC 6455: a WebSocket server itself closes with this code if a message is far too large. */
  message_too_big: { close: 1009, reconnect: false },
} as const;

export type CloseReason = keyof typeof closeCodes;

/** RFC 6455: the client is done with the stream. */
export const NORMAL_CLOSE = 1000;

/** RFC 6455: the connection ended without a close frame. Never sent. */
export const ABNORMAL_CLOSE = 1006;

const finalCodes: ReadonlySet<number> = new Set(
  Object.values(closeCodes)
    .filter(({ reconnect }) => !reconnect)
    .map(({ close }) => close),
);

/** Whether a client that was closed with this code should reconnect. A newer server's codes follow their range. */
export function mayReconnect(code: number): boolean {
  return !finalCodes.has(code) && !(code >= 4_500 && code < 5_000);
}
