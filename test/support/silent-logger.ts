import type { Logger } from '@runlog/topic-io/logger';

/** For what the test does not look at. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
