import { stdSerializers } from 'pino';

/** Bounds a chain of causes that leads back to its beginning. */
const CAUSES_MAX = 8;

/**
 * Returns what the log says of an error. pino puts the messages of all causes behind its message. Where we wrap an error,
 * our sentence mostly has its words already, and would be read twice or three times.
 */
export function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return { ...stdSerializers.err(error), message: messageOf(error) };
}

function messageOf(error: Error): string {
  let text = error.message;
  let { cause } = error;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth += 1) {
    if (!text.includes(cause.message)) text += `: ${cause.message}`;
    cause = cause.cause;
  }
  return text;
}
