import type { TopicIoLog } from '@runlog/topic-io/topic-io-log';

/** For what the test does not look at. */
export const silentLog: TopicIoLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
