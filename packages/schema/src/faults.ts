/**
 * Every fault that runlog answers with: its code, its HTTP status, and whether the same request can succeed later. The
 * codes that close a stream are in stream/close-codes.ts.
 */
export const httpFaults = {
  bad_request: { status: 400, retry: false },
  invalid_json: { status: 400, retry: false },
  invalid_utf8: { status: 400, retry: false },
  too_many_events: { status: 413, retry: false },
  invalid_query: { status: 400, retry: false },
  invalid_body: { status: 400, retry: false },
  unauthorized: { status: 401, retry: false },
  forbidden: { status: 403, retry: false },
  no_such_run: { status: 404, retry: false },
  no_such_event: { status: 404, retry: false },
  not_found: { status: 404, retry: false },
  method_not_allowed: { status: 405, retry: false },
  body_stalled: { status: 408, retry: true },
  history_gone: { status: 410, retry: false },
  body_too_large: { status: 413, retry: false },
  uri_too_long: { status: 414, retry: false },
  unsupported_media_type: { status: 415, retry: false },
  unsupported_encoding: { status: 415, retry: false },
  misdirected: { status: 421, retry: false },
  all_rejected: { status: 422, retry: false },
  quota_exceeded: { status: 429, retry: true },
  headers_too_large: { status: 431, retry: false },
  internal: { status: 500, retry: true },
  log_unavailable: { status: 503, retry: true },
  log_refuses: { status: 503, retry: true },
  overloaded: { status: 503, retry: true },
  storage_full: { status: 503, retry: true },
  closing: { status: 503, retry: true },
  not_ready: { status: 503, retry: true },
  too_far: { status: 503, retry: true },
} as const;

export type HttpFaultCode = keyof typeof httpFaults;

/** The body of every HTTP error. */
export interface HttpFaultBody {
  readonly error: { readonly code: HttpFaultCode; readonly message: string };
}

export function httpFaultBody(code: HttpFaultCode, message: string): HttpFaultBody {
  return { error: { code, message } };
}

/** Why one event of a body was rejected. None of these can succeed when sent again unchanged. */
export const eventFaultCodes = [
  'schema',
  'invalid_json',
  'invalid_utf8',
  'event_too_large',
  'too_deep',
  'duplicate_key',
] as const;

export type EventFaultCode = (typeof eventFaultCodes)[number];

/** Why a part of a recording could not be imported, beside the faults of its events. They are not part of the protocol. */
export const recordingFaultCodes = ['unreadable', 'unknown_history'] as const;

export type RecordingFaultCode = (typeof recordingFaultCodes)[number];

/** The codes of the protocol's error frames. The connection stays open. */
export const frameFaults = {
  bad_frame: { retry: false },
  bad_channel: { retry: false },
  forbidden: { retry: false },
  unauthorized: { retry: false },
  too_many_channels: { retry: false },
  too_many_views: { retry: false },
} as const;

export type FrameFaultCode = keyof typeof frameFaults;
