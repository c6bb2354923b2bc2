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
  const body = parseJson(text) as { error?: { message?: unknown } } | null | undefined;
  return typeof body?.error?.message === 'string' ? body.error.message : null;
}
