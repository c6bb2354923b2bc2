import type { HttpFaultCode } from '@runlog/schema/faults';
import { BODY_BYTES_MAX } from '@runlog/schema/limits';
import type { BodyFormat } from './accept-batch.ts';
import { type ContentEncoding, contentEncodingOf, ENCODINGS_ACCEPTED } from './inflate.ts';
import { bodyTooLarge } from './receive-body.ts';

export const FORMATS_ACCEPTED = 'application/json, application/x-ndjson';

/** The head of a `POST /v1/events`, read before any byte of its body is read. */
export type IngestRequest =
  | {
      readonly kind: 'request';
      readonly format: BodyFormat;
      readonly encoding: ContentEncoding;
      readonly dryRun: boolean;
      /** The length that the head names; null if it names none. */
      readonly bodyBytes: number | null;
    }
  | {
      readonly kind: 'fault';
      readonly code: HttpFaultCode;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Reads the head of a request, except its credentials, which `Admission` reads. */
export function readIngestRequest(head: {
  headers: RequestHeaders;
  query: Readonly<Record<string, unknown>>;
}): IngestRequest {
  const format = formatOf(headerText(head.headers['content-type']));
  if (format === null) {
    return {
      kind: 'fault',
      code: 'unsupported_media_type',
      message: `Content-Type must be application/json or application/x-ndjson, in UTF-8`,
      headers: { 'accept-post': FORMATS_ACCEPTED },
    };
  }
  const encoding = contentEncodingOf(headerText(head.headers['content-encoding']));
  if (encoding === null) {
    return {
      kind: 'fault',
      code: 'unsupported_encoding',
      message: `Content-Encoding must be one of ${ENCODINGS_ACCEPTED}`,
      headers: { 'accept-encoding': ENCODINGS_ACCEPTED },
    };
  }
  const dryRun = dryRunOf(head.query);
  if (dryRun === null) {
    const message = 'the query parameters are dry_run, which is 1 or 0, and mode, which is sender';
    return { kind: 'fault', code: 'invalid_query', message };
  }
  const length = headerText(head.headers['content-length']);
  const bodyBytes = length === undefined ? null : Number(length);
  if (bodyBytes !== null && bodyBytes > BODY_BYTES_MAX) {
    return { kind: 'fault', code: 'body_too_large', message: bodyTooLarge(BODY_BYTES_MAX) };
  }
  return { kind: 'request', format, encoding, dryRun, bodyBytes };
}

function formatOf(contentType: string | undefined): BodyFormat | null {
  switch (mediaTypeOf(contentType)) {
    case 'application/json':
      return 'json';
    case 'application/x-ndjson':
    case 'application/ndjson':
      return 'ndjson';
    default:
      return null;
  }
}

/** Reads a Content-Type header. Returns null if there is none, or if it names another charset than UTF-8. */
export function mediaTypeOf(contentType: string | undefined): string | null {
  if (contentType === undefined) return null;
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=');
    const charset = value.trim().replaceAll('"', '');
    if (name.trim() === 'charset' && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') {
      return null;
    }
  }
  return type.trim();
}

/** Accepts no other parameter, because a misspelt `dry_run` would publish events that were only meant to be tried. */
export function dryRunOf(query: Readonly<Record<string, unknown>>): boolean | null {
  if (Object.keys(query).some((name) => name !== 'dry_run')) return null;
  switch (query.dry_run) {
    case undefined:
    case '0':
    case 'false':
      return false;
    case '1':
    case 'true':
      return true;
    default:
      return null;
  }
}

export function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
