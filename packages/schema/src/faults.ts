/**
 * Every fault that leaves runlog, once: its code, the HTTP status or WebSocket close code it travels with, and whether
 * sending the same again can succeed. Close codes 4000-4499 mean "reconnect", 4500-4999 "do not".
 */
export const httpFaults = {
  bad_request: { status: 400, retry: false },
  invalid_json: { status: 400, retry: false },
  invalid_utf8: { status: 400, retry: false },
  too_many_events: { status: 413, retry: false },
  invalid_query: { status: 400, retry: false },
  unauthorized: { status: 401, retry: false },
  forbidden: { status: 403, retry: false },
  no_such_run: { status: 404, retry: false },
  not_found: { status: 404, retry: false },
  method_not_allowed: { status: 405, retry: false },
  body_stalled: { status: 408, retry: true },
  body_too_large: { status: 413, retry: false },
  uri_too_long: { status: 414, retry: false },
  unsupported_media_type: { status: 415, retry: false },
  unsupported_encoding: { status: 415, retry: false },
  all_rejected: { status: 422, retry: false },
  quota_exceeded: { status: 429, retry: true },
  headers_too_large: { status: 431, retry: false },
  internal: { status: 500, retry: true },
  log_unavailable: { status: 503, retry: true },
  overloaded: { status: 503, retry: true },
  storage_full: { status: 503, retry: true },
  closing: { status: 503, retry: true },
  not_ready: { status: 503, retry: true },
} as const;

export type HttpFaultCode = keyof typeof httpFaults;

/** The body of every HTTP error. */
export interface HttpFaultBody {
  readonly error: { readonly code: HttpFaultCode; readonly message: string };
}

export function httpFaultBody(code: HttpFaultCode, message: string): HttpFaultBody {
  return { error: { code, message } };
}

/** Why one event of a body was refused. None of these can succeed when sent again unchanged. */
export const eventFaultCodes = [
  'schema',
  'invalid_json',
  'invalid_utf8',
  'event_too_large',
  'too_deep',
  'duplicate_key',
] as const;

export type EventFaultCode = (typeof eventFaultCodes)[number];

export const closeCodes = {
  draining: { close: 4001, reconnect: true },
  server_error: { close: 4002, reconnect: true },
  slow_client: { close: 4008, reconnect: true },
  no_pong: { close: 4012, reconnect: true },
  rate_limited: { close: 4013, reconnect: true },
  bad_key: { close: 4500, reconnect: false },
  no_auth: { close: 4502, reconnect: false },
  frame_too_large: { close: 4504, reconnect: false },
  protocol_version: { close: 4509, reconnect: false },
} as const;

export type CloseReason = keyof typeof closeCodes;

/** Codes of the protocol's error frames; the connection stays open. */
export const frameFaults = {
  bad_frame: { retry: false },
  bad_channel: { retry: false },
  forbidden: { retry: false },
  unauthorized: { retry: false },
  too_many_channels: { retry: false },
  not_ready: { retry: true },
} as const;

export type FrameFaultCode = keyof typeof frameFaults;
