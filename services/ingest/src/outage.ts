import type { Logger } from '@runlog/topic-io/logger';
import { isVerdict, type TopicIoError } from '@runlog/topic-io/topic-io';

/** How long no fault may be seen before an outage counts as over. Partitions fail and recover one by one. */
const QUIET_MS_MIN = 2_000;
/** How long a refusal speaks against this process. Without requests it cannot know whether it is over. */
const REFUSAL_MS_MAX = 30_000;

/** Turns the outcomes of all requests into two log lines per outage: one when it begins, one when it is over. */
export interface Outage {
  /** Is called when the log did not take something. An overload of this process is not an outage. */
  failed(fault: TopicIoError): void;
  /** Is called when the log answered a ping. That does not end a refusal. */
  answered(): void;
  /** Is called when the log took something. */
  stored(): void;
  /** Says what an operator must change before the log takes events; null if nothing is known to be wrong. */
  readonly refusal: string | null;
}

interface Current {
  readonly beganAtMs: number;
  newestAtMs: number;
  requests: number;
  refusal: string | null;
}

export function createOutage(options: { logger: Logger; now: () => number }): Outage {
  const { logger, now } = options;
  let current: Current | null = null;
  const stored = () => {
    if (current === null || now() - current.newestAtMs < QUIET_MS_MIN) return;
    const outageMs = now() - current.beganAtMs;
    logger.info({ outageMs, requests: current.requests }, 'the log takes events again');
    current = null;
  };
  return {
    failed(fault) {
      if (fault.code === 'overloaded' || fault.code === 'closed') return;
      const refusal = isVerdict(fault) ? fault.message : null;
      const isKnown = current !== null && (refusal !== null) === (current.refusal !== null);
      current ??= { beganAtMs: now(), newestAtMs: 0, requests: 0, refusal };
      current.newestAtMs = now();
      current.requests += 1;
      current.refusal = refusal;
      if (isKnown) return;
      const what =
        refusal === null
          ? 'the log does not take events; clients are asked to retry'
          : 'the log refuses events until an operator changes something; clients keep them';
      logger.error({ err: fault, code: fault.code }, what);
    },
    answered() {
      if (current?.refusal == null) stored();
    },
    stored,
    get refusal() {
      return current !== null && now() - current.newestAtMs < REFUSAL_MS_MAX ? current.refusal : null;
    },
  };
}
