import { messageOf } from '@runlog/topic-io/error-message';
import { parseJson } from '@runlog/topic-io/parse-json';

/** Explains why a request got no answer, in words that say what to check. */
export function unreachableReason(url: string, error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = (cause as { code?: unknown }).code;
  if (error instanceof Error && error.name === 'TimeoutError') return `${url} did not answer in time`;
  if (code === 'ECONNREFUSED') return `nothing is listening at ${url}`;
  return `${url} cannot be reached (${code ?? messageOf(cause)})`;
}

/** Extracts the message from runlog's own error body. */
export function faultMessage(text: string): string | null {
  return faultField(text, 'message');
}

/** Extracts the code from runlog's own error body. */
export function faultCode(text: string): string | null {
  return faultField(text, 'code');
}

function faultField(text: string, field: 'code' | 'message'): string | null {
  const body = parseJson(text) as { error?: Partial<Record<string, unknown>> } | null | undefined;
  const value = body?.error?.[field];
  return typeof value === 'string' ? value : null;
}
