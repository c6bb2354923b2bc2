import { setTimeout as delay } from 'node:timers/promises';
import type { EventError } from '@runlog/schema/http/ingest-api';
import { CommandError, exitCodes } from '../command.ts';
import { type SendOptions, sendEvents } from './send-events.ts';

const BODY_EVENTS_MAX = 500;
/** How long an event waits for others to share a request with. It is short enough to look live. */
const GATHER_MS = 250;
/** The number of unsettled events of one cluster, sent or not, at which the sender is full. */
const QUEUE_EVENTS_MAX = 10_000;
const PATIENCE_MS = 60_000;

export interface SenderTotals {
  readonly sent: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Events sent again; each repetition counts. */
  readonly retried: number;
}

export interface EventSender {
  add(event: { clusterId: string; line: Buffer }): void;
  /** Is true when a queue is at its bound. Events that are added nevertheless are kept. */
  full(): boolean;
  totals(): SenderTotals;
  /** Why sending ended for good; null while it continues. */
  fault(): CommandError | null;
  /** Resolves when everything added is settled, or sending has ended for good. */
  drain(): Promise<void>;
}

/** Keeps one queue and one request at a time per cluster, because a request belongs to one cluster. Order is kept. */
export function createEventSender(options: {
  ingestUrl: string;
  /** Is asked for each request; with a key, the key determines the cluster. */
  key: () => string | undefined;
  random: () => number;
  now: () => number;
  signal: AbortSignal;
  onRetry: NonNullable<SendOptions['onRetry']>;
  onRejected: (fault: EventError) => void;
}): EventSender {
  const queues = new Map<string, { lines: Buffer[]; work: Promise<void> }>();
  const totals = { sent: 0, accepted: 0, rejected: 0, retried: 0 };
  let fault: CommandError | null = null;
  const hurry = new AbortController();

  const sendAll = async (clusterId: string, lines: Buffer[]) => {
    while (lines.length > 0 && fault === null) {
      if (lines.length < BODY_EVENTS_MAX) {
        await delay(GATHER_MS, undefined, { signal: hurry.signal }).catch(() => {});
      }
      // Events leave the queue when they are settled, so that the bound covers what is in flight.
      const body = lines.slice(0, BODY_EVENTS_MAX);
      totals.sent += body.length;
      const target = {
        ...{ ingestUrl: options.ingestUrl, key: options.key },
        clusterId: options.key() === undefined ? clusterId : undefined,
      };
      const outcome = await sendEvents(body, target, {
        random: options.random,
        now: options.now,
        patienceMs: PATIENCE_MS,
        signal: options.signal,
        onRetry: (retry) => {
          totals.retried += retry.events;
          options.onRetry(retry);
        },
      });
      totals.accepted += outcome.accepted;
      totals.rejected += outcome.rejected;
      for (const error of outcome.errors.slice(0, 3)) options.onRejected(error);
      lines.splice(0, body.length);
    }
  };
  const fail = (error: unknown) => {
    fault ??=
      error instanceof CommandError
        ? error
        : new CommandError('ended before everything was delivered', exitCodes.failed, { cause: error });
  };

  return {
    add({ clusterId, line }) {
      const queue = queues.get(clusterId) ?? { lines: [], work: Promise.resolve() };
      queues.set(clusterId, queue);
      queue.lines.push(line);
      if (queue.lines.length === 1) {
        queue.work = queue.work.then(() => sendAll(clusterId, queue.lines)).catch(fail);
      }
    },
    full: () => [...queues.values()].some((queue) => queue.lines.length >= QUEUE_EVENTS_MAX),
    totals: () => totals,
    fault: () => fault,
    async drain() {
      hurry.abort();
      await Promise.all([...queues.values()].map((queue) => queue.work));
    },
  };
}
