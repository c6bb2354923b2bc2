import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIoError } from '@runlog/topic-io/topic-io';

/** How long no fault may be seen before an outage is over: partitions fail and recover one by one. */
const QUIET_MS_MIN = 2_000;

/** Turns the outcome of every request into two log lines an outage: one when it begins, one when it is over. */
export interface Outage {
  /** The log did not take something. Overload of this process is no outage. */
  failed(fault: TopicIoError): void;
  /** The log took something, or answered a ping. */
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
