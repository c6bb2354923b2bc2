import type { HttpFaultBody, HttpFaultCode } from '@runlog/schema/faults';
import type { IngestResponse } from '@runlog/schema/http/ingest-api';
import { ERRORS_LISTED_MAX } from '@runlog/schema/limits';
import type { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Judgement } from './accept-batch.ts';
import type { Published } from './publish.ts';

type Judged = Extract<Judgement, { kind: 'judged' }>;

/** Events that the log refused are among the rejected ones. */
type Outcome = Omit<Published, 'settled' | 'refused' | 'acknowledgedLate'>;

/** The answer to a judged body. `retryAfter` says that the client should wait before it sends events again. */
export type Answer =
  | { readonly kind: 'response'; readonly response: IngestResponse; readonly retryAfter: boolean }
  | { readonly kind: 'all_rejected'; readonly response: IngestResponse & HttpFaultBody }
  | {
      readonly kind: 'fault';
      readonly code: HttpFaultCode;
      readonly message: string;
      readonly retryAfterSeconds?: number;
    };

/** Returns the answer to a body whose valid events were appended, or only judged (`dry_run`). */
export function answerOf(judged: Judged, published: Outcome): Answer {
  const { retry, fault, acknowledged } = published;
  if (fault !== null && acknowledged === 0) {
    return faultOf(fault);
  }
  const response: IngestResponse = {
    accepted: acknowledged,
    rejected: judged.rejected.length,
    retry: retry.length,
    normalized: published.normalized,
    errors: judged.rejected.slice(0, ERRORS_LISTED_MAX).map(({ error }) => error),
    errors_unlisted: Math.max(0, judged.rejected.length - ERRORS_LISTED_MAX),
    retry_indexes: rangesOf(retry),
  };
  if (judged.total > 0 && judged.rejected.length === judged.total) {
    const message = `no event of the body is valid; the first one: ${firstFault(response)}`;
    return { kind: 'all_rejected', response: { ...response, error: { code: 'all_rejected', message } } };
  }
  return { kind: 'response', response, retryAfter: retry.length > 0 };
}

/** Returns the outcome as if every valid event had been acknowledged. */
export function publishedDry(judged: Judged): Outcome {
  const normalized = judged.events.filter((event) => event.normalized).length;
  return { acknowledged: judged.events.length, normalized, retry: [], fault: null };
}

/** `[1, 2, 3, 7]` → `[[1, 3], [7, 7]]`; the indexes must ascend. */
export function rangesOf(indexes: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const index of indexes) {
    const newest = ranges.at(-1);
    if (newest !== undefined && newest[1] + 1 === index) newest[1] = index;
    else ranges.push([index, index]);
  }
  return ranges;
}

function firstFault(response: IngestResponse): string {
  const error = response.errors[0];
  if (error === undefined) return 'none';
  return error.path === '' ? error.message : `${error.path} ${error.message}`;
}

/** What waiting cannot mend is not asked for again at once, but a client must keep its events: an operator can mend it. */
const REFUSED_RETRY_AFTER_SECONDS = 30;

export function faultOf(fault: TopicIoError): Extract<Answer, { kind: 'fault' }> {
  const code = faultCodeOf(fault);
  if (code === 'log_refuses') {
    const message = `no event was stored, and that stays so until an operator changes something; keep the events: ${fault.message}`;
    return { kind: 'fault', code, message, retryAfterSeconds: REFUSED_RETRY_AFTER_SECONDS };
  }
  const message = `no event was acknowledged; send all of them again (repeats are recognised): ${fault.message}`;
  return { kind: 'fault', code, message };
}

function faultCodeOf(fault: TopicIoError): HttpFaultCode {
  switch (fault.code) {
    case 'overloaded':
      return 'overloaded';
    case 'storage_full':
      return 'storage_full';
    case 'closed':
      return 'closing';
    case 'unavailable':
    case 'fenced':
      return 'log_unavailable';
    case 'too_large':
    case 'denied':
    case 'unusable':
      return 'log_refuses';
    default: {
      const unreachable: never = fault.code;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}
