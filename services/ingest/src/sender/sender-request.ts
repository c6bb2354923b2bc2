import { SENDER_BODY_BYTES_MAX } from '@runlog/schema/limits';
import { type ContentEncoding, contentEncodingOf, SENDER_ENCODINGS_ACCEPTED } from '../inflate.ts';
import {
  dryRunOf,
  headerText,
  type IngestRequest,
  mediaTypeOf,
  type RequestHeaders,
} from '../ingest-request.ts';
import { bodyTooLarge } from '../receive-body.ts';
import type { SenderFormat } from './sender-source.ts';

/** The head of a request from a sender that judges by the status alone. */
export type SenderRequest<Format> =
  | {
      readonly kind: 'request';
      readonly format: Format;
      readonly encoding: ContentEncoding;
      readonly dryRun: boolean;
      readonly bodyBytes: number | null;
    }
  | Extract<IngestRequest, { kind: 'fault' }>;

/** What a path takes: the media types that it names, and what each means. */
export interface Formats<Format> {
  readonly accepted: string;
  readonly of: (mediaType: string | null) => Format | null;
}

export const senderFormats: Formats<SenderFormat> = {
  accepted: 'application/json, application/x-ndjson, text/plain',
  of: (mediaType) => {
    switch (mediaType) {
      case 'application/json':
      case 'application/stream+json':
        return 'json';
      case 'application/x-ndjson':
      case 'application/ndjson':
      case 'application/jsonl':
        return 'ndjson';
      case 'text/plain':
        return 'text';
      default:
        return mediaType?.endsWith('+json') ? 'json' : null;
    }
  },
};

/** Ray sends JSON, and would send what is refused for ever. */
export const anyFormat: Formats<SenderFormat> = {
  accepted: senderFormats.accepted,
  of: (mediaType) => senderFormats.of(mediaType) ?? 'json',
};

export type LogsFormat = 'protobuf' | 'json';

export const logsFormats: Formats<LogsFormat> = {
  accepted: 'application/x-protobuf, application/json',
  of: (mediaType) => {
    switch (mediaType) {
      case 'application/x-protobuf':
      case 'application/protobuf':
        return 'protobuf';
      case 'application/json':
        return 'json';
      default:
        return null;
    }
  },
};

export function readSenderRequest<Format>(
  head: { headers: RequestHeaders; query: Readonly<Record<string, unknown>> },
  formats: Formats<Format>,
): SenderRequest<Format> {
  const format = formats.of(mediaTypeOf(headerText(head.headers['content-type'])));
  if (format === null) {
    return {
      kind: 'fault',
      code: 'unsupported_media_type',
      message: `Content-Type must be one of ${formats.accepted}, in UTF-8`,
      headers: { 'accept-post': formats.accepted },
    };
  }
  const encoding = contentEncodingOf(headerText(head.headers['content-encoding']), { ofSender: true });
  if (encoding === null) {
    return {
      kind: 'fault',
      code: 'unsupported_encoding',
      message: `Content-Encoding must be one of ${SENDER_ENCODINGS_ACCEPTED}`,
      headers: { 'accept-encoding': SENDER_ENCODINGS_ACCEPTED },
    };
  }
  const { mode, ...query } = head.query;
  const dryRun = dryRunOf(query);
  if (dryRun === null || (mode !== undefined && mode !== 'sender')) {
    const message = 'the query parameters are dry_run, which is 1 or 0, and mode, which is sender';
    return { kind: 'fault', code: 'invalid_query', message };
  }
  const length = headerText(head.headers['content-length']);
  const bodyBytes = length === undefined ? null : Number(length);
  if (bodyBytes !== null && bodyBytes > SENDER_BODY_BYTES_MAX) {
    return { kind: 'fault', code: 'body_too_large', message: bodyTooLarge(SENDER_BODY_BYTES_MAX) };
  }
  return { kind: 'request', format, encoding, dryRun, bodyBytes };
}
