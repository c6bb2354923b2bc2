import { fluentBit } from './doubles/fluent-bit.ts';
import { ray } from './doubles/ray.ts';
import { vector } from './doubles/vector.ts';
import { otelJavascript, otelPython } from './otel-senders.ts';
import type { Sender } from './sender.ts';

/** The senders that are had in seconds. The Collector takes minutes to build (`collector-sender.ts`). */
export const senders: readonly Sender[] = [
  otelPython,
  otelJavascript('proto'),
  otelJavascript('json'),
  vector({ framing: 'array', compression: 'none' }),
  vector({ framing: 'newline_delimited', compression: 'gzip' }),
  fluentBit({ format: 'json', compress: 'none' }),
  fluentBit({ format: 'json_lines', compress: 'gzip' }),
  fluentBit({ format: 'json_stream', compress: 'none' }),
  ray(),
];
