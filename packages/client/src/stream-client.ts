import { STREAM_RECONNECT_MS_MAX, STREAM_RECONNECT_MS_MIN } from '@runlog/schema/limits';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { Position } from '@runlog/schema/run/snapshot';
import { figuresChannel, indexChannel, runChannel } from '@runlog/schema/stream/channels';
import { mayReconnect } from '@runlog/schema/stream/close-codes';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import type { BackfillWorld } from './backfill.ts';
import { type Endpoints, endpointsOf } from './endpoints.ts';
import { FiguresChannel, type FiguresListener } from './figures-channel.ts';
import { deliveredEntryOf, type EntryFilter, type FetchLike, requestHistory } from './history-request.ts';
import { IndexChannel, type IndexListener, type IndexUpdate, type IndexView } from './index-channel.ts';
import { NewestValue } from './newest-value.ts';
import { reportUncaught } from './report-error.ts';
import { RunChannel, type RunSubscriber } from './run-channel.ts';
import { RunSubscription } from './run-subscription.ts';
import type { ChannelRefusal, RunUpdate } from './run-update.ts';
import { connect, type Link, type SocketConstructor } from './socket-link.ts';
import { ChannelRefusedError, StreamStoppedError } from './stream-errors.ts';

/** How long a connection must hold to count as good. The next failure then starts again with a short delay. */
const SETTLED_MS = 5_000;
/** A `sub` frame ends before either bound; the server takes 64 KiB. */
const CHANNELS_PER_FRAME = 150;
const SUB_CHARS_MAX = 24 * 1024;
/** Often enough for a server that takes two seconds without an acknowledgement for slowness. */
const ACK_INTERVAL_MS = 200;
const BACKFILL_ENTRIES_MAX = 100_000;
/** A server that was silent for so long is asked for a sign of life, and is not heard if it gives none in so long. */
const ASK_AFTER_MS = 5_000;
const ANSWER_MS_MAX = 3_000;

export type StreamStatus =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  | { readonly state: 'waiting'; readonly retryInMs: number }
  /** The server refused for good; the client will not try again. */
  | { readonly state: 'stopped'; readonly code: number; readonly reason: string }
  | { readonly state: 'closed' };

/** Whether the gateway reads the log. While it is stalled, everything is as of `since`. */
export type FeedState = { readonly state: 'live' } | { readonly state: 'stalled'; readonly since: string };

export interface BackfillOptions {
  /**
   * The most entries that are fetched from the history for one gap: 100,000 if it is absent; 0 turns fetching off. What is
   * not fetched comes as a `gap`.
   */
  readonly entriesMax?: number;
}

export interface StreamClientOptions {
  /** The gateway's address, such as `http://127.0.0.1:8080`, or that of its stream, `ws://…/v1/stream`. */
  readonly url: string;
  /** A constructor of the same interface, for platforms without a global WebSocket, such as Node 20. */
  readonly webSocket?: SocketConstructor;
  readonly fetch?: FetchLike;
  readonly key?: string;
  readonly backfill?: BackfillOptions;
  /** Returns a number from 0 to below 1, which spreads reconnects. */
  readonly random?: () => number;
  readonly onStatus?: (status: StreamStatus) => void;
  readonly onFeed?: (feed: FeedState) => void;
  /**
   * Has the client ask a server that is silent for a sign of life, instead of waiting for its next heartbeat. It is called each
   * second with the milliseconds for which none has come, and with 0 when one has. After a close it says nothing.
   */
  readonly onSilence?: (silentMs: number) => void;
  /**
   * Takes what a listener throws. The other listeners, and the same one, go on. If it is absent, the error is reported as
   * uncaught: by `reportError` in a browser, as an uncaught exception in Node. It also takes what the gateway says against a
   * frame as a whole; that is no uncaught error if it is absent.
   */
  readonly onError?: (error: unknown) => void;
}

export interface RunOptions {
  /**
   * Where to begin: `recent` (the default) with the entries of the run's event log, the newest 100; `beginning` with the
   * first one; or the position that an earlier subscription reached, after which nothing is left out: a run that has begun
   * anew since then starts over from its first entry.
   */
  readonly from?: 'recent' | 'beginning' | Position;
  readonly filter?: EntryFilter;
  /** The least time between two steps, up to 60,000. What happens in between is merged into one. */
  readonly minIntervalMs?: number;
  /**
   * Tells the gateway how far the listener or the loop has come. If it is 2 s behind, the gateway merges what follows, as
   * for a slow connection, instead of filling buffers.
   */
  readonly acknowledge?: boolean;
  readonly backfill?: BackfillOptions;
}

export interface RunLoopOptions extends RunOptions {
  /** Ends the loop. */
  readonly signal?: AbortSignal;
  /**
   * Is awaited before each update is made, which then has all that came until that moment. A page gives what resolves in its
   * next frame. It must resolve or reject after the signal.
   */
  readonly pace?: () => Promise<void>;
}

export interface StreamClient {
  /**
   * Calls the listener with the run's state and entries, and then with every step, across reconnects (see RunUpdate). The
   * returned function ends the subscription. Throws if this client follows the run with another filter or interval.
   */
  subscribeRun(
    key: string,
    listener: (update: RunUpdate | ChannelRefusal) => void,
    options?: RunOptions,
  ): () => void;
  /**
   * The same as an iterable, which ends on the signal and on `close`, and rejects if the server refuses. A loop that is
   * slower than the run holds a bounded part of it: what is beyond is fetched when it is its turn.
   */
  run(key: string, options?: RunLoopOptions): AsyncIterable<RunUpdate>;
  /** Calls the listener with all figures of a run after each change. */
  subscribeFigures(key: string, listener: FiguresListener): () => void;
  /** The same as an iterable, which leaves out what a slow loop has no time for. */
  figures(key: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<RunFigures>;
  /**
   * Calls the listener with the runs that a glob matches, and after each change; `*` matches any sequence of characters of
   * `cluster/run/group`. A client follows a glob by one view at a time.
   */
  subscribeIndex(glob: string, listener: IndexListener, view?: IndexView): () => void;
  /** The same as an iterable, which leaves out what a slow loop has no time for. */
  index(
    glob: string,
    options?: { readonly view?: IndexView; readonly signal?: AbortSignal },
  ): AsyncIterable<IndexUpdate>;
  /** Ends the wait for the next attempt to connect, and makes it now. If nothing waits, this changes nothing. */
  reconnectNow(): void;
  close(): void;
}

/** Connects at once, and reconnects until it is closed or refused. */
export function createStreamClient(options: StreamClientOptions): StreamClient {
  return new ReconnectingClient(options);
}

type AnyChannel = RunChannel | FiguresChannel | IndexChannel;

class ReconnectingClient implements StreamClient {
  readonly #options: StreamClientOptions;
  readonly #endpoints: Endpoints;
  readonly #random: () => number;
  readonly #channels = new Map<string, AnyChannel>();
  /** Those that the server has refused at some time. */
  readonly #refusedOnce = new WeakSet<AnyChannel>();
  /** What ends when the client is closed or stopped: iterables, and waits for a connection. */
  readonly #onEnd = new Set<(failure: Error | null) => void>();
  readonly #onOpen = new Set<() => void>();
  #link: Link | null = null;
  #isOpen = false;
  #isUnheard = false;
  #ended: { failure: Error | null } | null = null;
  #nextId = 1;
  #attempt = 0;
  /** These values apply until the server has sent its own. */
  #reconnect: { min_ms: number; max_ms: number } = {
    min_ms: STREAM_RECONNECT_MS_MIN,
    max_ms: STREAM_RECONNECT_MS_MAX,
  };
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #acknowledged = new Map<string, number>();

  constructor(options: StreamClientOptions) {
    this.#options = options;
    this.#endpoints = endpointsOf(options.url);
    this.#random = options.random ?? Math.random;
    this.#connect();
  }

  subscribeRun(
    key: string,
    listener: (update: RunUpdate | ChannelRefusal) => void,
    options: RunOptions = {},
  ): () => void {
    const tell = this.#guarded(listener);
    return this.#follow(key, options, { sink: tell, refused: (refusal) => tell(refusalOf(refusal)) }).end;
  }

  async *run(key: string, options: RunLoopOptions = {}): AsyncGenerator<RunUpdate> {
    let isOver = options.signal?.aborted ?? false;
    let failure: Error | null = null;
    const over = (error: Error | null) => {
      isOver = true;
      failure = error;
      subscription.wake();
    };
    const { subscription, end } = this.#follow(key, options, {
      sink: null,
      refused: (refusal) => over(new ChannelRefusedError(refusal)),
    });
    // A loop that is busy must not keep the channel: somebody else may want it with another filter.
    const stop = this.#untilEnd(options.signal, (error) => {
      over(error);
      end();
    });
    try {
      while (!isOver) {
        await options.pace?.();
        if (isOver) break;
        const update = subscription.pull();
        if (update === null) {
          await subscription.arrival();
        } else {
          yield update;
          subscription.consumed(update);
        }
      }
      if (failure !== null) throw failure as Error;
    } finally {
      stop();
      end();
    }
  }

  subscribeFigures(key: string, listener: FiguresListener): () => void {
    const ch = figuresChannel(key);
    let channel = this.#channels.get(ch);
    if (channel?.kind === 'figures') this.#askAgain(channel);
    else channel = this.#added(new FiguresChannel(ch));
    const { held, listeners } = channel;
    const tell = this.#guarded(listener);
    listeners.add(tell);
    if (held !== null) tell(held);
    return () => this.#leave(ch, listeners, tell);
  }

  figures(key: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<RunFigures> {
    return this.#newest<RunFigures>(options.signal, (value) =>
      this.subscribeFigures(key, (update) => {
        if (update.kind === 'refused') value.fail(new ChannelRefusedError(update));
        else value.set(update.figures);
      }),
    );
  }

  subscribeIndex(glob: string, listener: IndexListener, view: IndexView = {}): () => void {
    const ch = indexChannel(glob);
    let channel = this.#channels.get(ch);
    if (channel?.kind === 'index') {
      channel.mustAgree(view);
      this.#askAgain(channel);
    } else {
      channel = this.#added(new IndexChannel(ch, view));
    }
    const { held, listeners } = channel;
    const tell = this.#guarded(listener);
    listeners.add(tell);
    if (held !== null) tell(held);
    return () => this.#leave(ch, listeners, tell);
  }

  index(
    glob: string,
    options: { readonly view?: IndexView; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<IndexUpdate> {
    return this.#newest<IndexUpdate>(options.signal, (value) =>
      this.subscribeIndex(
        glob,
        (update) => {
          if (update.kind === 'refused') value.fail(new ChannelRefusedError(update));
          else value.set(update);
        },
        options.view,
      ),
    );
  }

  reconnectNow(): void {
    if (this.#retryTimer === undefined) return;
    clearTimeout(this.#retryTimer);
    this.#retry();
  }

  close(): void {
    if (this.#ended !== null) return;
    this.#stop({ state: 'closed' }, null);
    this.#link?.close();
  }

  // --- subscriptions ---

  #follow(
    key: string,
    options: RunOptions,
    use: Pick<RunSubscriber, 'refused'> & { sink: ((update: RunUpdate) => void) | null },
  ): { subscription: RunSubscription; end: () => void } {
    const { filter = {}, minIntervalMs = 0 } = options;
    const ch = runChannel(key);
    const known = this.#channels.get(ch);
    if (known?.kind === 'run') {
      known.mustAgree({ filter, minIntervalMs });
      this.#askAgain(known);
    }
    const channel =
      known?.kind === 'run' ? known : this.#added(new RunChannel(ch, { filter, minIntervalMs }));
    const subscription = new RunSubscription({
      delivery: {
        from: options.from ?? 'recent',
        entriesMax:
          options.backfill?.entriesMax ?? this.#options.backfill?.entriesMax ?? BACKFILL_ENTRIES_MAX,
      },
      world: this.#worldOf(this.#endpoints.run(key), filter),
      sink: use.sink,
      onConsumed: (seq) => {
        if (subscriber.acknowledged === undefined) return;
        subscriber.acknowledged = seq;
        this.#acknowledgeSoon();
      },
    });
    const acknowledged = options.acknowledge === true ? null : undefined;
    const subscriber: RunSubscriber = { subscription, refused: use.refused, acknowledged };
    channel.add(subscriber);
    const end = () => {
      subscription.end();
      this.#leave(ch, channel.subscribers, subscriber);
    };
    return { subscription, end };
  }

  #worldOf(run: string, filter: EntryFilter): Omit<BackfillWorld, 'onProgress'> {
    const { key, fetch = globalThis.fetch as unknown as FetchLike } = this.#options;
    return {
      page: ({ after }, signal) => requestHistory({ run, after, filter, key, fetch, signal }),
      connected: (signal) => this.#connected(signal),
      wait: (ms, signal) =>
        untilAborted(signal, (done) => {
          const timer = setTimeout(done, ms);
          return () => clearTimeout(timer);
        }),
      random: this.#random,
      deliver: (event) => deliveredEntryOf(event, Date.now()),
    };
  }

  #connected(signal: AbortSignal): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    return untilAborted(signal, (done) => {
      this.#onOpen.add(done);
      return () => this.#onOpen.delete(done);
    });
  }

  async *#newest<Value>(
    signal: AbortSignal | undefined,
    subscribe: (value: NewestValue<Value>) => () => void,
  ): AsyncGenerator<Value> {
    if (signal?.aborted === true) return;
    const value = new NewestValue<Value>();
    const stop = this.#untilEnd(signal, (failure) => (failure === null ? value.end() : value.fail(failure)));
    const unsubscribe = subscribe(value);
    try {
      yield* value.values();
    } finally {
      stop();
      unsubscribe();
    }
  }

  /** Calls back once when the signal aborts or the client ends. The returned function says that it need not. */
  #untilEnd(signal: AbortSignal | undefined, over: (failure: Error | null) => void): () => void {
    const aborted = () => over(null);
    signal?.addEventListener('abort', aborted, { once: true });
    this.#onEnd.add(over);
    if (this.#ended !== null) over(this.#ended.failure);
    return () => {
      signal?.removeEventListener('abort', aborted);
      this.#onEnd.delete(over);
    };
  }

  #added<Channel extends AnyChannel>(channel: Channel): Channel {
    this.#channels.set(channel.ch, channel);
    this.#ask([channel]);
    return channel;
  }

  /** Asks for a channel that was refused, on behalf of one more subscriber, who must hear of that too. */
  #askAgain(channel: AnyChannel): void {
    if (this.#refusedOnce.delete(channel)) this.#ask([channel]);
  }

  #leave<Listener>(ch: string, listeners: Set<Listener>, listener: Listener): void {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    this.#channels.delete(ch);
    this.#acknowledged.delete(ch);
    if (this.#isOpen) this.#link?.send({ id: this.#takeId(), unsub: [ch] });
  }

  #guarded<Update>(listener: (update: Update) => void): (update: Update) => void {
    return (update) => {
      try {
        listener(update);
      } catch (error) {
        this.#report(error);
      }
    };
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError === undefined) {
      reportUncaught(error);
      return;
    }
    try {
      onError(error);
    } catch (again) {
      reportUncaught(again);
    }
  }

  // --- the connection ---

  #connect(): void {
    this.#say({ state: 'connecting' });
    if (this.#ended !== null) return;
    this.#link = connect({
      url: this.#endpoints.stream,
      protocol: STREAM_SUBPROTOCOL,
      webSocket: this.#options.webSocket,
      onOpen: () => {
        const { key } = this.#options;
        if (key !== undefined) this.#link?.send({ id: 0, auth: key });
      },
      onFrame: (frame) => this.#receive(frame),
      onSilence: (silentMs) => this.#silent(silentMs),
      onClose: (close) => this.#closed(close),
    });
  }

  #closed(close: { code: number; reason: string }): void {
    this.#link = null;
    this.#isOpen = false;
    this.#isUnheard = false;
    clearTimeout(this.#settleTimer);
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#acknowledged.clear();
    if (this.#ended !== null) return;
    for (const channel of this.#channels.values()) if (channel.kind === 'run') channel.disconnected();
    if (!mayReconnect(close.code)) {
      this.#stop({ state: 'stopped', ...close }, new StreamStoppedError(close));
      return;
    }
    const { min_ms, max_ms } = this.#reconnect;
    const retryInMs = this.#random() * Math.min(max_ms, min_ms * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.#retry(), retryInMs);
    this.#say({ state: 'waiting', retryInMs });
  }

  #retry(): void {
    this.#retryTimer = undefined;
    this.#connect();
  }

  #stop(status: StreamStatus, failure: Error | null): void {
    this.#ended = { failure };
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    clearTimeout(this.#settleTimer);
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#ackTimer);
    for (const channel of this.#channels.values()) {
      if (channel.kind !== 'run') continue;
      for (const { subscription } of channel.subscribers) subscription.end();
    }
    for (const over of [...this.#onEnd]) over(failure);
    this.#say(status);
  }

  #silent(silentMs: number): void {
    const { onSilence } = this.#options;
    if (onSilence === undefined || !this.#isOpen) return;
    if (silentMs === ASK_AFTER_MS) this.#link?.send({ id: this.#takeId(), ping: true });
    if (silentMs < ASK_AFTER_MS + ANSWER_MS_MAX) return;
    this.#isUnheard = true;
    this.#guarded(onSilence)(silentMs);
  }

  #receive(frame: ServerFrameFields): void {
    if (this.#isUnheard) {
      this.#isUnheard = false;
      this.#guarded(this.#options.onSilence ?? ignore)(0);
    }
    if (frame.hello !== undefined) this.#greeted(frame.hello);
    else if (frame.tips !== undefined) this.#compare(frame.tips);
    else if (frame.drain !== undefined) this.#drain(frame.drain.within_ms);
    else if (frame.feed !== undefined) this.#guarded(this.#options.onFeed ?? ignore)(frame.feed);
    else if (frame.ch !== undefined) this.#receiveOf(frame.ch, frame);
    else if (frame.error !== undefined) {
      const { code, message } = frame.error;
      // No server may end a process by what it sends, so nobody's `onError` means that this is left unsaid.
      if (this.#options.onError === undefined) return;
      this.#report(new Error(`the gateway refused a frame: ${code}: ${message}`));
    }
  }

  #greeted(hello: NonNullable<ServerFrameFields['hello']>): void {
    this.#isOpen = true;
    this.#reconnect = hello.reconnect;
    this.#link?.expectEvery(hello.heartbeat_ms);
    this.#settleTimer = setTimeout(() => {
      this.#attempt = 0;
    }, SETTLED_MS);
    this.#say({ state: 'open' });
    this.#ask([...this.#channels.values()]);
    for (const open of this.#onOpen) open();
  }

  #compare(tips: Readonly<Record<string, number | null>>): void {
    const lost: AnyChannel[] = [];
    for (const [ch, tip] of Object.entries(tips)) {
      const channel = this.#channels.get(ch);
      if (channel?.kind === 'run' && channel.isBehind(tip)) lost.push(channel);
    }
    this.#ask(lost);
  }

  /** Leaves a server that is stopping at a random time within its window, so that its clients do not all leave at once. */
  #drain(withinMs: number): void {
    clearTimeout(this.#drainTimer);
    this.#drainTimer = setTimeout(() => {
      this.#attempt = 0;
      this.#link?.close();
    }, this.#random() * Math.max(0, withinMs));
  }

  #receiveOf(ch: string, frame: ServerFrameFields): void {
    const channel = this.#channels.get(ch);
    if (channel === undefined) return;
    if (frame.error !== undefined) {
      this.#refused(channel, frame.error);
      return;
    }
    switch (channel.kind) {
      case 'run':
        if (channel.receive(frame)) this.#ask([channel]);
        return;
      case 'figures': {
        const { update, ask } = channel.receive(frame);
        if (update !== null) for (const listener of [...channel.listeners]) listener(update);
        if (ask) this.#ask([channel]);
        return;
      }
      case 'index': {
        const update = channel.receive(frame);
        if (update !== null) for (const listener of [...channel.listeners]) listener(update);
        return;
      }
      default: {
        const unreachable: never = channel;
        throw new Error(`unknown channel ${String(unreachable)}`);
      }
    }
  }

  #refused(channel: AnyChannel, error: { code: string; message: string }): void {
    this.#refusedOnce.add(channel);
    if (channel.kind === 'run') for (const { refused } of [...channel.subscribers]) refused(error);
    else for (const listener of [...channel.listeners]) listener(refusalOf(error));
  }

  #ask(channels: readonly AnyChannel[]): void {
    if (!this.#isOpen) return;
    for (let from = 0; from < channels.length; ) {
      const id = this.#takeId();
      const sub = [];
      let chars = 0;
      while (from < channels.length && sub.length < CHANNELS_PER_FRAME && chars < SUB_CHARS_MAX) {
        const asked = channels[from]!.ask(id);
        chars += JSON.stringify(asked).length;
        sub.push(asked);
        from += 1;
      }
      this.#link?.send({ id, sub });
    }
  }

  #acknowledgeSoon(): void {
    if (this.#ackTimer !== undefined || !this.#isOpen) return;
    this.#ackTimer = setTimeout(() => {
      this.#ackTimer = undefined;
      const ack: Record<string, number> = {};
      for (const channel of this.#channels.values()) {
        const seq = channel.kind === 'run' ? channel.acknowledged : undefined;
        if (seq === undefined || this.#acknowledged.get(channel.ch) === seq) continue;
        this.#acknowledged.set(channel.ch, seq);
        ack[channel.ch] = seq;
      }
      if (Object.keys(ack).length > 0) this.#link?.send({ id: this.#takeId(), ack });
    }, ACK_INTERVAL_MS);
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  #say(status: StreamStatus): void {
    this.#guarded(this.#options.onStatus ?? ignore)(status);
  }
}

const ignore = () => undefined;

function refusalOf({ code, message }: { code: string; message: string }): ChannelRefusal {
  return { kind: 'refused', code, message };
}

/** Resolves when `begin` says so or the signal aborts. `begin` returns how to undo what it began. */
function untilAborted(signal: AbortSignal, begin: (done: () => void) => () => void): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      undo();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const undo = begin(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
