import { type Signal, signal } from '@preact/signals';
import type { FiguresListener } from '@runlog/client/figures-channel';
import type { IndexListener, IndexView } from '@runlog/client/index-channel';
import type { ChannelRefusal, RunUpdate } from '@runlog/client/run-update';
import type { FeedState, RunLoopOptions, RunOptions, StreamClient } from '@runlog/client/stream-client';
import type { Answer, AskOptions } from '../shell/ask.ts';
import type { Connection, Hello, LinkStatus } from '../shell/connection.ts';
import type { ServerClock } from '../shell/server-clock.ts';

export const MADE_UP_NOW_MS = Date.UTC(2026, 10, 27, 7, 12, 38);

/** A connection without a network, for tests of stores. The test moves the clock and says what the server says. */
export interface MadeUpConnection extends Connection {
  readonly link: Signal<LinkStatus>;
  readonly feed: Signal<FeedState>;
  readonly unknownSinceMs: Signal<number | null>;
  readonly hasOpened: Signal<boolean>;
  readonly isAway: Signal<boolean>;
  readonly hello: Signal<Hello | null>;
  readonly refusedOrigin: Signal<string | null>;
  readonly keyWanted: Signal<'missing' | 'refused' | null>;
  /** The runs that are followed, in the order in which that began. */
  readonly runs: readonly MadeUpStream[];
  readonly indexes: readonly { glob: string; view: IndexView; listener: IndexListener; isEnded: boolean }[];
  /** The runs that are followed by a listener. */
  readonly listened: readonly {
    key: string;
    options: RunOptions;
    listener: (update: RunUpdate | ChannelRefusal) => void;
    isEnded: boolean;
  }[];
  readonly figures: readonly { key: string; listener: FiguresListener; isEnded: boolean }[];
  /** What was asked for. */
  readonly asked: readonly { path: string; options: AskOptions }[];
  /** Answers what is asked from now on; until then nobody answers. */
  answer(by: (path: string, options: AskOptions) => Answer<unknown>): void;
  /** Moves the server's clock and the monotonic one. */
  advance(ms: number): void;
}

/** One run as a client hands it over. */
export interface MadeUpStream {
  readonly key: string;
  readonly options: RunOptions;
  /** The number of updates that the loop has dealt with. */
  readonly dealtWith: number;
  readonly isEnded: boolean;
  send(update: RunUpdate): void;
  fail(error: Error): void;
}

export function madeUpConnection(): MadeUpConnection {
  let nowMs = MADE_UP_NOW_MS;
  let answers: (path: string, options: AskOptions) => Answer<unknown> = () => ({ kind: 'away' });
  const now = signal<number | null>(nowMs);
  const runs: MadeUpStream[] = [];
  const indexes: { glob: string; view: IndexView; listener: IndexListener; isEnded: boolean }[] = [];
  const figures: { key: string; listener: FiguresListener; isEnded: boolean }[] = [];
  const listened: MadeUpConnection['listened'][number][] = [];
  const asked: { path: string; options: AskOptions }[] = [];
  const client = {
    run(key: string, options: RunLoopOptions = {}) {
      const { stream, loop } = madeUpStream(key, options);
      runs.push(stream);
      return loop;
    },
    subscribeIndex(glob: string, listener: IndexListener, view: IndexView = {}) {
      const index = { glob, view, listener, isEnded: false };
      indexes.push(index);
      return () => {
        index.isEnded = true;
      };
    },
    subscribeRun(
      key: string,
      listener: (update: RunUpdate | ChannelRefusal) => void,
      options: RunOptions = {},
    ) {
      const followed = { key, options, listener, isEnded: false };
      listened.push(followed);
      return () => {
        followed.isEnded = true;
      };
    },
    subscribeFigures(key: string, listener: FiguresListener) {
      const followed = { key, listener, isEnded: false };
      figures.push(followed);
      return () => {
        followed.isEnded = true;
      };
    },
    close: () => undefined,
  } as unknown as StreamClient;
  const clock: ServerClock = {
    ...{ now },
    at: () => nowMs,
    learn: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
  return {
    ...{ client, clock, runs, indexes, listened, figures, asked },
    link: signal<LinkStatus>({ state: 'open' }),
    feed: signal<FeedState>({ state: 'live' }),
    silentMs: signal(0),
    unknownSinceMs: signal<number | null>(null),
    hasOpened: signal(true),
    isAway: signal(false),
    hello: signal<Hello | null>({ ingestUrl: null }),
    refusedOrigin: signal<string | null>(null),
    keyWanted: signal<'missing' | 'refused' | null>(null),
    monotonicMs: () => nowMs - MADE_UP_NOW_MS,
    async ask<Body>(path: string, options: AskOptions = {}) {
      asked.push({ path, options });
      return answers(path, options) as Answer<Body>;
    },
    answer(by) {
      answers = by;
    },
    advance(ms) {
      nowMs += ms;
      now.value = nowMs;
    },
    secondClient: () => client,
    reconnectNow: () => undefined,
    useKey: () => undefined,
    noteRefusal: () => undefined,
    close: () => undefined,
  };
}

function madeUpStream(key: string, options: RunLoopOptions) {
  const queue: (RunUpdate | Error)[] = [];
  let wake: () => void = () => undefined;
  const stream = {
    ...{ key, options, dealtWith: 0, isEnded: false },
    send(update: RunUpdate) {
      queue.push(update);
      wake();
    },
    fail(error: Error) {
      queue.push(error);
      wake();
    },
  };
  const isAborted = () => options.signal?.aborted === true;
  options.signal?.addEventListener('abort', () => wake());
  async function* loop(): AsyncGenerator<RunUpdate> {
    try {
      while (!isAborted()) {
        if (queue.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (queue[0] instanceof Error) throw queue[0];
        await options.pace?.();
        if (isAborted()) return;
        yield queue.shift() as RunUpdate;
        stream.dealtWith += 1;
      }
    } finally {
      stream.isEnded = true;
    }
  }
  return { stream, loop: loop() };
}
