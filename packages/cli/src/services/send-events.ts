import { setTimeout as delay } from 'node:timers/promises';
import { type EventError, type IngestResponse, ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { parseJson } from '@runlog/topic-io/parse-json';
import { CommandError, exitCodes } from '../command.ts';
import { retryAfterMs, retryDelayMs } from '../retry.ts';
import { faultMessage, unreachableReason } from './service-answer.ts';

/** The longest wait for one answer. Ingest answers only when the log has the events. */
const ANSWER_MS_MAX = 60_000;

export interface SendTarget {
  readonly ingestUrl: string;
  /** Is asked for each request. */
  readonly key: () => string | undefined;
  /** Is set where ingest asks for no key; with a key, the key determines the cluster. */
  readonly clusterId: string | undefined;
}

export interface SendOptions {
  readonly random: () => number;
  /** Returns milliseconds; only differences count. */
  readonly now: () => number;
  /** Gives up when ingest has accepted nothing for this time. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal;
  /** Is called before each wait, with the number of events to send again and the reason. */
  readonly onRetry?: (retry: { events: number; reason: string; delayMs: number }) => void;
}

/** The fate of the lines. `errors` names rejected lines by their index; at most the first 100 of a body are listed. */
export interface SendOutcome {
  readonly accepted: number;
  readonly normalized: number;
  readonly rejected: number;
  readonly errors: readonly EventError[];
}

type Answer =
  | { readonly kind: 'judged'; readonly response: IngestResponse; readonly retryAfterMs: number }
  | { readonly kind: 'later'; readonly reason: string; readonly retryAfterMs: number }
  | { readonly kind: 'never'; readonly message: string };

/**
 * Sends one event per line until each is accepted or rejected. Order is kept: what must be sent again goes before
 * anything else. The same bytes may reach the log twice, because an answer can get lost; numbered events are then still
 * counted once.
 */
export async function sendEvents(
  lines: readonly Buffer[],
  target: SendTarget,
  options: SendOptions,
): Promise<SendOutcome> {
  let pending = lines.map((line, index) => ({ line, index }));
  let accepted = 0;
  let normalized = 0;
  let rejected = 0;
  const errors: EventError[] = [];
  let attempt = 0;
  let progressAtMs = options.now();
  while (pending.length > 0) {
    const answer = await post(
      pending.map(({ line }) => line),
      target,
      options.signal,
    );
    let reason: string;
    switch (answer.kind) {
      case 'never':
        throw new CommandError(answer.message, exitCodes.failed);
      case 'later':
        reason = answer.reason;
        break;
      case 'judged': {
        const { response } = answer;
        accepted += response.accepted;
        normalized += response.normalized;
        rejected += response.rejected;
        for (const error of response.errors) errors.push({ ...error, index: pending[error.index]!.index });
        if (response.accepted + response.rejected > 0) {
          attempt = 0;
          progressAtMs = options.now();
        }
        pending = response.retry_indexes.flatMap(([first, last]) => pending.slice(first, last + 1));
        reason = 'ingest asks for them again';
        break;
      }
      default: {
        const unreachable: never = answer;
        throw new Error(`unknown answer ${String(unreachable)}`);
      }
    }
    if (pending.length === 0) break;
    if (options.now() - progressAtMs >= options.patienceMs) {
      throw new CommandError(`${reason}; gave up after ${attempt + 1} attempts`, exitCodes.unreachable);
    }
    const delayMs = retryDelayMs({ attempt, retryAfterMs: answer.retryAfterMs, random: options.random });
    options.onRetry?.({ events: pending.length, reason, delayMs });
    await delay(delayMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    attempt += 1;
  }
  return { accepted, normalized, rejected, errors };
}

async function post(
  lines: readonly Buffer[],
  target: SendTarget,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(ANSWER_MS_MAX);
  let response: Response;
  let text: string;
  const key = target.key();
  try {
    response = await fetch(`${target.ingestUrl}/v1/events`, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(target.clusterId === undefined ? {} : { 'x-cluster-id': target.clusterId }),
      },
      body: joinLines(lines),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    return { kind: 'later', reason: unreachableReason(target.ingestUrl, error), retryAfterMs: 0 };
  }
  const waitMs = retryAfterMs(response.headers.get('retry-after'), Date.now());
  const judged = ingestResponseSchema.safeParse(parseJson(text));
  if (judged.success) return { kind: 'judged', response: judged.data, retryAfterMs: waitMs };
  const message = faultMessage(text) ?? response.statusText;
  switch (response.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return {
        kind: 'later',
        reason: `ingest answered ${response.status}: ${message}`,
        retryAfterMs: waitMs,
      };
    case 401:
      return {
        kind: 'never',
        message: `ingest requires a key that may publish: set RUNLOG_KEY (${message})`,
      };
    case 403:
      return { kind: 'never', message: `this key may not publish there: ${message}` };
    default:
      return {
        kind: 'never',
        message: `${target.ingestUrl} answered ${response.status} (${message}): is it runlog's ingest?`,
      };
  }
}

function joinLines(lines: readonly Buffer[]): Buffer<ArrayBuffer> {
  const newline = Buffer.from('\n');
  return Buffer.concat(lines.flatMap((line) => [line, newline]));
}
