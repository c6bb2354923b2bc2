import { setTimeout as delay } from 'node:timers/promises';
import { createEventSender } from '@runlog/cli/services/event-sender';
import type { MadeRun } from './picture-runs.ts';

const TICK_MS = 100;

/** Sends the next events of runs to ingest, so many a second of each, until it is disposed. */
export function startLiveFeed(to: {
  ingestUrl: string;
  runs: readonly MadeRun[];
  perSecond: number;
}): AsyncDisposable {
  const stopped = new AbortController();
  const sender = createEventSender({
    ...{ ingestUrl: to.ingestUrl, key: () => undefined, signal: stopped.signal },
    ...{ random: Math.random, now: () => performance.now() },
    onRetry: () => {},
    onRejected: ({ code, message }) => process.stderr.write(`an event was rejected: ${code}: ${message}\n`),
  });
  const feeding = (async () => {
    for (let due = 0; !stopped.signal.aborted; due -= Math.floor(due)) {
      due += (to.perSecond * TICK_MS) / 1_000;
      const nowMs = Date.now();
      for (const run of to.runs) {
        for (let made = 0; made < Math.floor(due) && !sender.full(); made += 1) {
          const next = run.next(nowMs);
          if (next !== null) sender.add({ clusterId: next.clusterId, line: Buffer.from(next.text) });
        }
      }
      await delay(TICK_MS, undefined, { signal: stopped.signal }).catch(() => {});
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await feeding;
    },
  };
}
