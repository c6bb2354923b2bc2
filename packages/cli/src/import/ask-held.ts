import { setTimeout as delay } from 'node:timers/promises';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { CommandError, exitCodes } from '../command.ts';
import { formatCount } from '../format.ts';
import { feedOf, type GatewayTarget, getEvents, getRun } from '../services/gateway-client.ts';
import type { HeldEvents } from './held-events.ts';

/** How long a gateway that does not answer is asked again: before it has ever answered, and after that. */
const FIRST_PATIENCE_MS = 3_000;
const PATIENCE_MS = 60_000;
/** How long a gateway may take to read what ingest has acknowledged. */
const CATCH_UP_MS_MAX = 60_000;
const ASK_AGAIN_MS = 250;
/** While others publish, a gateway is never quite at the end. So near to it for so long means that it has all that came before. */
const NEAR_RECORDS_MAX = 2_000;
const NEAR_MS = 2_000;

export interface AskOptions {
  readonly target: GatewayTarget;
  readonly held: HeldEvents;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
  readonly onTrouble: (reason: string) => void;
}

/** What the server said of a run: how many distinct events it has, or in a sentence why nobody can know which ones. */
export type Asked =
  | { readonly kind: 'held'; readonly distinct: number }
  | { readonly kind: 'unknown'; readonly message: string };

/** Waits until the gateway has read what ingest acknowledged before. */
export async function waitUntilRead(options: AskOptions): Promise<void> {
  const { target, now, signal, onProgress } = options;
  const beganMs = now();
  let nearSinceMs = Number.NaN;
  let atEnd = 0;
  for (;;) {
    const patienceMs = Number.isNaN(nearSinceMs) && atEnd === 0 ? FIRST_PATIENCE_MS : PATIENCE_MS;
    const feed = await patiently(options, () => feedOf(target), patienceMs);
    const isReading = feed?.state === 'live' && feed.held_back === undefined;
    const behind = isReading ? feed.behind_records : null;
    atEnd = behind === 0 ? atEnd + 1 : 0;
    if (behind === null || behind > NEAR_RECORDS_MAX) nearSinceMs = Number.NaN;
    else if (Number.isNaN(nearSinceMs)) nearSinceMs = now();
    if (atEnd >= 2 || now() - nearSinceMs >= NEAR_MS) return;
    if (now() - beganMs > CATCH_UP_MS_MAX) {
      const how = behind === null ? 'does not read the log now' : `is ${formatCount(behind)} records behind`;
      throw new CommandError(
        `${target.gatewayUrl} ${how}, so it cannot be asked what the run holds; run the same command again later`,
        exitCodes.unreachable,
      );
    }
    onProgress(`waiting until the gateway has read the log: ${formatCount(behind ?? 0)} records behind`);
    await delay(ASK_AGAIN_MS, undefined, { signal });
  }
}

/** Reads all that the server has of a run into `held`, page by page. */
export async function askHeld(run: RunKey, options: AskOptions): Promise<Asked> {
  const { target, held, signal, onProgress } = options;
  const key = formatRunKey(run);
  const document = await patiently(options, () => getRun(target, run));
  if (document === null) return { kind: 'held', distinct: 0 };
  let read = 0;
  let after: number | null = -1;
  while (after !== null) {
    signal.throwIfAborted();
    const query: Record<string, string> = { after: String(after), limit: '1000' };
    const page: EventsPage | null = await patiently(options, () => getEvents(target, run, query));
    // It was deleted meanwhile.
    if (page === null) return { kind: 'held', distinct: 0 };
    if (page.oldest > document.first_seq) return beginningGone(key);
    for (const stored of page.events) held.takeStored(key, stored);
    read += page.events.length;
    onProgress(
      `asking what ${key} holds: ${formatCount(read)} of ${formatCount(document.total_events_received)} events`,
    );
    after = page.next;
  }
  return { kind: 'held', distinct: document.total_events_received - document.duplicates };
}

async function patiently<Answer>(
  { now, signal, onTrouble }: AskOptions,
  ask: () => Promise<Answer>,
  patienceMs = PATIENCE_MS,
): Promise<Answer> {
  for (const beganMs = now(); ; ) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unreachable) throw error;
      if (now() - beganMs > patienceMs) {
        const why = 'it says which events the run has already';
        throw new CommandError(`${error.message} (${why})`, error.exitCode, { cause: error });
      }
      onTrouble(`${error.message}; trying again`);
    }
    await delay(ASK_AGAIN_MS, undefined, { signal });
  }
}

function beginningGone(key: string): Asked {
  const message = `the log no longer keeps the beginning of ${key}, so nobody can say which of these events the run has had; import them into a run of its own with --run NAME`;
  return { kind: 'unknown', message };
}
