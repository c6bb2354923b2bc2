import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import type { DeliveredEntry, Position } from '@runlog/schema/run/snapshot';
import type { EntryDelivery, PastEntry, WantedRange } from './entry-delivery.ts';
import type { GapReason } from './run-update.ts';

/** What the gateway answers when it is asked for a page of a run's history. */
export type HistoryAnswer =
  | {
      readonly kind: 'page';
      /** Oldest first. */
      readonly events: readonly StoredEvent[];
      /** The `after` of the next page; null at the run's position as that gateway has it. */
      readonly next: number | null;
      /** That position, and the lowest seq that could be read. Absent from the pages of older gateways. */
      readonly position?: Position | undefined;
      readonly oldest?: number | undefined;
    }
  /** It will not give this page. */
  | { readonly kind: 'refused'; readonly reason: GapReason }
  /** It could not be asked, or does not answer now. The reason is that of the gap if it never does. */
  | { readonly kind: 'failed'; readonly reason: GapReason; readonly retryAfterMs: number };

/** What a backfill needs of the world. */
export interface BackfillWorld {
  page(asked: { after: number }, signal: AbortSignal): Promise<HistoryAnswer>;
  /** Resolves when there is a connection to the gateway: without one it makes no sense to ask. */
  connected(signal: AbortSignal): Promise<void>;
  /** Resolves after that time, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Returns a number from 0 to below 1, which spreads attempts. */
  random(): number;
  deliver(event: StoredEvent): DeliveredEntry | null;
  /** Is called after each change of the delivery. */
  onProgress(): void;
}

const ATTEMPTS_MAX = 10;
/** The same for attempts after which the gateway says when to come back: it works, but many ask it at the same time. */
const ATTEMPTS_TOLD_MAX = 200;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** A gateway that looks for a place in its log gives pages that do not go on; each has cost it 4 MiB of reading. */
const STANDING_STILL_MAX = 100;

/**
 * Fetches what a delivery wants, page by page, until it wants nothing more or the signal aborts. Whatever fails in all
 * attempts becomes a gap. An attempt counts only while there is a connection, so an outage of any length costs nothing.
 */
export async function backfill(
  delivery: EntryDelivery,
  world: BackfillWorld,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  let told = 0;
  let standingStill = 0;
  for (let wanted = delivery.wanted; wanted !== null; wanted = delivery.wanted) {
    await world.connected(signal);
    if (signal.aborted) return;
    const { after } = wanted;
    const answer = await world.page({ after }, signal);
    if (signal.aborted) return;
    const outcome = judge(answer, { wanted, epoch: delivery.epoch });
    switch (outcome.kind) {
      case 'fetched': {
        delivery.fetched(wanted, {
          entries: pastEntries(outcome.events, world),
          reached: outcome.reached,
        });
        if (outcome.reached > after) {
          failures = 0;
          told = 0;
        }
        standingStill = outcome.reached > after ? 0 : standingStill + 1;
        if (standingStill > STANDING_STILL_MAX) {
          delivery.missing(wanted, { before: wanted.before, reason: 'unavailable' });
        }
        break;
      }
      case 'missing':
        delivery.missing(wanted, outcome);
        break;
      case 'again':
        if (outcome.retryAfterMs > 0) told += 1;
        else failures += 1;
        if (failures >= ATTEMPTS_MAX || told >= ATTEMPTS_TOLD_MAX) {
          delivery.missing(wanted, { before: wanted.before, reason: outcome.reason });
          failures = 0;
          told = 0;
          break;
        }
        await world.wait(
          retryInMs({ attempts: failures + told, least: outcome.retryAfterMs, random: world.random }),
          signal,
        );
        if (signal.aborted) return;
        break;
      default: {
        const unreachable: never = outcome;
        throw new Error(`unknown outcome ${String(unreachable)}`);
      }
    }
    world.onProgress();
  }
}

type Outcome =
  | {
      readonly kind: 'fetched';
      readonly events: readonly StoredEvent[];
      readonly reached: number;
    }
  /** The part of the range below `before` cannot be fetched. */
  | { readonly kind: 'missing'; readonly before: number; readonly reason: GapReason }
  | { readonly kind: 'again'; readonly reason: GapReason; readonly retryAfterMs: number };

const againSoon: Outcome = { kind: 'again', reason: 'unavailable', retryAfterMs: 0 };

/** Says how far a page goes. That it is the last one says nothing if its gateway is behind. */
function judge(answer: HistoryAnswer, of: { wanted: WantedRange; epoch: string | null }): Outcome {
  const { wanted, epoch } = of;
  if (answer.kind === 'refused') return { kind: 'missing', before: wanted.before, reason: answer.reason };
  if (answer.kind === 'failed') return { ...answer, kind: 'again' };
  const { events, next, position, oldest } = answer;
  if (position !== undefined && position.epoch !== epoch) return againSoon;
  if (oldest !== undefined && oldest > wanted.after + 1) {
    return { kind: 'missing', before: oldest, reason: 'history_gone' };
  }
  const last = wanted.before - 1;
  const seen = events.at(-1)?.seq ?? wanted.after;
  if (next !== null) return { kind: 'fetched', events, reached: Math.max(next, seen) };
  if (position === undefined || position.seq >= last) return { kind: 'fetched', events, reached: last };
  return seen > wanted.after ? { kind: 'fetched', events, reached: seen } : againSoon;
}

function pastEntries(events: readonly StoredEvent[], world: BackfillWorld): PastEntry[] {
  const entries: PastEntry[] = [];
  for (const stored of events) {
    const entry = world.deliver(stored);
    if (entry === null) continue;
    entries.push({ entry, eventId: String(stored.event.event_id), duplicate: stored.duplicate });
  }
  return entries;
}

function retryInMs(of: { attempts: number; least: number; random: () => number }): number {
  const ceiling = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** of.attempts);
  return of.least + ceiling / 2 + of.random() * (ceiling / 2);
}
