import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIoError } from '@runlog/topic-io/topic-io';

/** How long no fault may be seen before an outage counts as over. Partitions fail and recover one by one. */
const QUIET_MS_MIN = 2_000;

/** Turns the outcomes of all requests into two log lines per outage: one when it begins, one when it is over. */
export interface Outage {
  /** Is called when the log did not take something. An overload of this process is not an outage. */
  failed(fault: TopicIoError): void;
  /** Is called when the log took something, or answered a ping. */
  answered(): void;
}

export function createOutage(options: { logger: Logger; now: () => number }): Outage {
  const { logger, now } = options;
  let current: { beganAtMs: number; newestAtMs: number; requests: number } | null = null;
  return {
    failed(fault) {
      if (fault.code === 'overloaded' || fault.code === 'closed') return;
      if (current === null) {
        current = { beganAtMs: now(), newestAtMs: now(), requests: 1 };
        logger.error(
          { err: fault, code: fault.code },
          'the log does not take events; clients are asked to retry',
        );
        return;
      }
      current.newestAtMs = now();
      current.requests += 1;
    },
    answered() {
      if (current === null || now() - current.newestAtMs < QUIET_MS_MIN) return;
      const outageMs = now() - current.beganAtMs;
      logger.info({ outageMs, requests: current.requests }, 'the log takes events again');
      current = null;
    },
  };
}
