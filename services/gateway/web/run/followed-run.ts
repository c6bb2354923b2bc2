import { batch, computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { GapReason, RunUpdate } from '@runlog/client/run-update';
import { ChannelRefusedError, StreamStoppedError } from '@runlog/client/stream-errors';
import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredEntry, DeliveredSnapshot, Position, RunStatus } from '@runlog/schema/run/snapshot';
import type { Connection } from '../shell/connection.ts';
import { behindAt, type DrawnSample, sampleOf } from './behind.ts';
import { type Evidence, evidenceOf, noEventYet } from './evidence.ts';
import { RateMeter } from './rate-meter.ts';

/** How often the strip's data are fetched again while events come. */
const TIMELINE_EVERY_MS = 10_000;

/** Why a run cannot be shown. The connection has its own failures. */
export type RunFailure =
  /** No event of it has come yet, or its last one was deleted before the page was opened. It appears by itself. */
  | { readonly kind: 'unknown_run' }
  /** It was there and was deleted while the page showed it. If it begins anew, it appears by itself. */
  | { readonly kind: 'deleted' }
  /** The key does not show it. */
  | { readonly kind: 'forbidden'; readonly message: string };

/**
 * What a listener of a run's log gets, in order. After `start`, the entries of all updates, one after the other, are those of
 * the run behind its place: each once, and none missing that no `gap` covers.
 */
export type LogUpdate =
  /**
   * Begin anew. `entries` are the newest that were handed over; what is older than them, down to `firstSeq`, is in the
   * history (`GET …/events?before=`). `position` is null while the run has no event.
   */
  | {
      readonly kind: 'start';
      readonly entries: readonly DeliveredEntry[];
      readonly position: Position | null;
      readonly firstSeq: number;
    }
  | {
      readonly kind: 'entries';
      readonly entries: readonly DeliveredEntry[];
      readonly position: Position | null;
    }
  /** Entries with `after` < seq < `before` are missing here: `count` of them, null if that is not known. */
  | {
      readonly kind: 'gap';
      readonly after: number;
      readonly before: number;
      readonly count: number | null;
      readonly reason: GapReason;
    }
  /** The run reported that it is over. */
  | { readonly kind: 'end'; readonly status: Exclude<RunStatus, 'running'> };

export type LogListener = (update: LogUpdate) => void;

/** One run as it is now: what the header, the strip, the lanes, the charts and the unfiltered log are drawn from. */
export interface FollowedRun extends Disposable {
  /** `cluster/run/group`. */
  readonly key: string;
  /** The newest state that is drawn, replaced at most once a frame; null until the server has answered, and in a failure. */
  readonly snapshot: ReadonlySignal<DeliveredSnapshot | null>;
  readonly failure: ReadonlySignal<RunFailure | null>;
  /** How the run stands, with its evidence, each second anew. */
  readonly standing: ReadonlySignal<Evidence>;
  /** Null while that cannot be known. */
  readonly eventsPerSecond: ReadonlySignal<number | null>;
  /** How long after the server received it the newest event was drawn, in milliseconds; null where nothing says it. */
  readonly behindMs: ReadonlySignal<number | null>;
  /** Whether entries that were left out are being fetched: the snapshot is ahead of the log until then. */
  readonly isCatchingUp: ReadonlySignal<boolean>;
  /** The whole life of the run in outline, fetched anew every 10 s while events come; null until it is there. */
  readonly timeline: ReadonlySignal<RunTimeline | null>;
  /** All figures. They are subscribed to from the first call on; null until they are there. */
  figures(): ReadonlySignal<RunFigures | null>;
  /**
   * Has a listener told of the log, from what was handed over last on. It is called right before what it is told is drawn.
   * The returned function ends that.
   */
  onLog(listener: LogListener): () => void;
}

/** What a followed run needs of a browser. */
export interface FrameWorld {
  /** Calls back before the next frame is drawn, or soon if nothing is drawn. The returned function says that it need not. */
  nextFrame(callback: () => void): () => void;
}

/**
 * Follows a run until it is disposed of, with one subscription that acknowledges what was drawn. So the gateway merges what
 * the page has no time for instead of filling buffers.
 */
export function followRun(
  key: string,
  { connection, frames = browserFrames }: { connection: Connection; frames?: FrameWorld },
): FollowedRun {
  const { client, clock, link } = connection;
  const stop = new AbortController();
  const listeners = new Set<LogListener>();
  const meter = new RateMeter();
  const snapshot = signal<DeliveredSnapshot | null>(null);
  const failure = signal<RunFailure | null>(null);
  const position = signal<Position | null>(null);
  const sample = signal<DrawnSample | null>(null);
  const timeline = signal<RunTimeline | null>(null);
  const figures = signal<RunFigures | null>(null);
  /** The client says that it is connected before it hands over what the new connection tells. */
  let isLive = false;
  let isFetchingTimeline = false;
  let timelineSeq: number | null = null;

  const tell = (update: LogUpdate) => {
    for (const listener of [...listeners]) listener(update);
  };
  const startOf = (held: DeliveredSnapshot | null): LogUpdate => {
    const through = position.peek();
    const entries = through === null ? [] : (held?.event_log ?? []).filter(({ seq }) => seq <= through.seq);
    return { kind: 'start', entries, position: through, firstSeq: held?.first_seq ?? 0 };
  };

  function take(update: RunUpdate): void {
    if (update.kind === 'end') {
      tell(update);
      return;
    }
    position.value = update.position;
    if (update.kind === 'gap') tell(update);
    else takeState(update);
  }

  function takeState(update: Extract<RunUpdate, { snapshot: DeliveredSnapshot }>): void {
    const before = snapshot.peek();
    const { snapshot: next, entries } = update;
    const startsOver = update.kind === 'snapshot' && update.startsOver;
    if (next.position === null) {
      const wasThere = before !== null || failure.peek()?.kind === 'deleted';
      failure.value = { kind: wasThere ? 'deleted' : 'unknown_run' };
      forget();
    } else {
      failure.value = null;
      snapshot.value = next;
      measure(startsOver ? null : before, next);
    }
    if (startsOver || before === null) {
      tell({ kind: 'start', entries, position: update.position, firstSeq: next.first_seq });
      void fetchTimeline();
    } else if (entries.length > 0) {
      tell({ kind: 'entries', entries, position: update.position });
    }
  }

  function measure(before: DeliveredSnapshot | null, next: DeliveredSnapshot): void {
    const receivedMs = Date.parse(next.last_received_at);
    if (before === null) meter.reset();
    meter.record({ total: next.total_events_received, receivedMs, isLive });
    const receivedBefore = before?.last_received_at ?? null;
    const drawn = { isLive, receivedBefore, received: next.last_received_at, drawnMs: clock.at() };
    sample.value = sampleOf(drawn) ?? sample.peek();
    isLive = link.peek().state === 'open';
  }

  /** Nothing of a run that is gone, or that may not be seen any more, stays. */
  function forget(): void {
    snapshot.value = null;
    timeline.value = null;
    figures.value = null;
    sample.value = null;
    timelineSeq = null;
    meter.reset();
  }

  async function follow(): Promise<void> {
    try {
      const { signal } = stop;
      const pace = () => frame(frames, signal);
      for await (const update of client.run(key, { acknowledge: true, signal, pace })) {
        batch(() => take(update));
      }
    } catch (error) {
      // A connection that was refused for good says so itself.
      if (error instanceof StreamStoppedError || stop.signal.aborted) return;
      if (!(error instanceof ChannelRefusedError)) throw error;
      connection.noteRefusal(error.code);
      batch(() => {
        forget();
        failure.value = { kind: 'forbidden', message: error.message };
      });
    }
  }

  async function fetchTimeline(): Promise<void> {
    if (isFetchingTimeline || snapshot.peek() === null || link.peek().state !== 'open') return;
    isFetchingTimeline = true;
    const answer = await connection.ask<RunTimeline>(`v1/runs/${key}/timeline`, { signal: stop.signal });
    isFetchingTimeline = false;
    if (stop.signal.aborted || answer.kind !== 'ok' || snapshot.peek() === null) return;
    timelineSeq = answer.body.position.seq;
    timeline.value = answer.body;
  }

  const unwatchLink = effect(() => {
    if (link.value.state !== 'open' || connection.unknownSinceMs.value !== null) isLive = false;
  });
  const timer = setInterval(() => {
    const seq = snapshot.peek()?.position?.seq;
    if (seq !== undefined && seq !== timelineSeq) void fetchTimeline();
  }, TIMELINE_EVERY_MS);
  let unfollowFigures: (() => void) | null = null;
  void follow();

  const nowMs = clock.now;
  return {
    ...{ key, snapshot, failure, timeline },
    standing: computed(() => {
      const run = snapshot.value;
      if (run === null || run.position === null) return noEventYet;
      return evidenceOf(run, { nowMs: nowMs.value, unknownSinceMs: connection.unknownSinceMs.value });
    }),
    eventsPerSecond: computed(() => {
      const run = snapshot.value;
      const tickMs = nowMs.value;
      if (run === null || connection.unknownSinceMs.value !== null) return null;
      return meter.at(clock.at() ?? tickMs ?? Date.parse(run.last_received_at));
    }),
    behindMs: computed(() => {
      if (connection.unknownSinceMs.value !== null) return null;
      return behindAt(sample.value, {
        nowMs: Math.max(nowMs.value ?? 0, sample.value?.drawnMs ?? 0),
        intervalMs: snapshot.value?.interval_ms ?? null,
      });
    }),
    isCatchingUp: computed(() => {
      const ahead = snapshot.value?.position?.seq;
      return ahead !== undefined && ahead > (position.value?.seq ?? -1);
    }),
    figures() {
      unfollowFigures ??= client.subscribeFigures(key, (update) => {
        if (update.kind === 'figures') figures.value = update.figures;
      });
      return figures;
    },
    onLog(listener) {
      listeners.add(listener);
      if (snapshot.peek() !== null) listener(startOf(snapshot.peek()));
      return () => listeners.delete(listener);
    },
    [Symbol.dispose]() {
      stop.abort();
      clearInterval(timer);
      unwatchLink();
      unfollowFigures?.();
      listeners.clear();
      forget();
    },
  };
}

/** A page in the background draws no frames; what came must be dealt with nevertheless. */
const HIDDEN_FRAME_MS = 1_000;

/** The frames of this browser. */
export const browserFrames: FrameWorld = {
  nextFrame(callback) {
    let isCalled = false;
    const once = () => {
      if (isCalled) return;
      isCalled = true;
      cancelAnimationFrame(frameId);
      clearTimeout(timer);
      callback();
    };
    const frameId = requestAnimationFrame(once);
    const timer = setTimeout(once, HIDDEN_FRAME_MS);
    return () => {
      isCalled = true;
      cancelAnimationFrame(frameId);
      clearTimeout(timer);
    };
  },
};

/** Resolves before the next frame is drawn, or when the signal aborts. */
export function frame(frames: FrameWorld, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      resolve();
    };
    const cancel = frames.nextFrame(() => {
      signal.removeEventListener('abort', end);
      resolve();
    });
    signal.addEventListener('abort', end, { once: true });
  });
}
