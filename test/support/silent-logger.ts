import type { Logger } from '@runlog/topic-io/logger';

/** A logger for tests that do not look at log lines. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
