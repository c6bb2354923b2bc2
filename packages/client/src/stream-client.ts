import { STREAM_RECONNECT_MS_MAX, STREAM_RECONNECT_MS_MIN } from '@runlog/schema/limits';
import type { RunRow } from '@runlog/schema/run/snapshot';
import { indexChannel, runChannel } from '@runlog/schema/stream/channels';
import { mayReconnect } from '@runlog/schema/stream/close-codes';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { STREAM_SUBPROTOCOL } from '@runlog/schema/stream/subprotocol';
import { RunReplica, type RunUpdate } from './run-replica.ts';
import { connect, type Link, type SocketConstructor } from './socket-link.ts';

/** How long a connection must hold to count as good. The next failure then starts again with a short delay. */
const SETTLED_MS = 5_000;
const CHANNELS_PER_FRAME = 150;

export type StreamStatus =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  | { readonly state: 'waiting'; readonly retryInMs: number }
  /** The server refused for good; the client will not try again. */
  | { readonly state: 'stopped'; readonly code: number; readonly reason: string }
  | { readonly state: 'closed' };

/** The server will not stream this channel. */
export interface ChannelRefusal {
  readonly kind: 'refused';
  readonly code: string;
  readonly message: string;
}

export type IndexUpdate =
  | { readonly kind: 'rows'; readonly rows: readonly RunRow[]; readonly total: number }
  /** Rows that are new or changed, and keys (`cluster/run/group`) of runs that no longer exist. */
  | { readonly kind: 'changes'; readonly rows: readonly RunRow[]; readonly gone: readonly string[] };

export interface StreamClientOptions {
  /** `ws://…/v1/stream`. */
  readonly url: string;
  /** A constructor of the same interface, for platforms without a global WebSocket. */
  readonly webSocket?: SocketConstructor;
  readonly key?: string;
  /** Returns a number from 0 to below 1, which spreads reconnects. */
  readonly random: () => number;
  readonly onStatus?: (status: StreamStatus) => void;
}

export interface StreamClient {
  /**
   * Calls the listener with a snapshot and then with every step, across reconnects. Gaps are repaired before the
   * listener sees them. A second listener of a run begins with the state that is held. The returned function ends the
   * subscription.
   */
  subscribeRun(key: string, listener: (update: RunUpdate | ChannelRefusal) => void): () => void;
  /**
   * Subscribes to the runs that a glob matches; `*` matches any sequence of characters of `cluster/run/group`. After a
   * reconnect all rows are sent anew.
   */
  subscribeIndex(glob: string, listener: (update: IndexUpdate | ChannelRefusal) => void): () => void;
  close(): void;
}

/** Connects at once, and reconnects until it is closed or refused. */
export function createStreamClient(options: StreamClientOptions): StreamClient {
  return new ReconnectingClient(options);
}

interface RunChannel {
  readonly kind: 'run';
  readonly replica: RunReplica;
  readonly listeners: Set<(update: RunUpdate | ChannelRefusal) => void>;
}

interface IndexChannel {
  readonly kind: 'index';
  readonly listeners: Set<(update: IndexUpdate | ChannelRefusal) => void>;
}

class ReconnectingClient implements StreamClient {
  readonly #options: StreamClientOptions;
  readonly #channels = new Map<string, RunChannel | IndexChannel>();
  #link: Link | null = null;
  #isOpen = false;
  #isClosed = false;
  #nextId = 1;
  #attempt = 0;
  /** These values apply until the server has sent its own. */
  #reconnect: { min_ms: number; max_ms: number } = {
    min_ms: STREAM_RECONNECT_MS_MIN,
    max_ms: STREAM_RECONNECT_MS_MAX,
  };
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #settleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: StreamClientOptions) {
    this.#options = options;
    this.#connect();
  }

  subscribeRun(key: string, listener: (update: RunUpdate | ChannelRefusal) => void): () => void {
    const ch = runChannel(key);
    let channel = this.#channels.get(ch);
    if (channel?.kind !== 'run') {
      channel = { kind: 'run', replica: new RunReplica(), listeners: new Set() };
      this.#channels.set(ch, channel);
      this.#ask([ch]);
    }
    const { snapshot } = channel.replica;
    channel.listeners.add(listener);
    if (snapshot !== null) listener({ kind: 'snapshot', snapshot, reason: null });
    return () => this.#unsubscribe(ch, channel.listeners, listener);
  }

  subscribeIndex(glob: string, listener: (update: IndexUpdate | ChannelRefusal) => void): () => void {
    const ch = indexChannel(glob);
    let channel = this.#channels.get(ch);
    if (channel?.kind !== 'index') {
      channel = { kind: 'index', listeners: new Set() };
      this.#channels.set(ch, channel);
    }
    channel.listeners.add(listener);
    this.#ask([ch]);
    return () => this.#unsubscribe(ch, channel.listeners, listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#stop({ state: 'closed' });
    this.#link?.close();
  }

  #connect(): void {
    this.#say({ state: 'connecting' });
    this.#link = connect({
      url: this.#options.url,
      protocol: STREAM_SUBPROTOCOL,
      webSocket: this.#options.webSocket,
      onOpen: () => {
        const { key } = this.#options;
        if (key !== undefined) this.#link?.send({ id: 0, auth: key });
      },
      onFrame: (frame) => this.#receive(frame as ServerFrameFields),
      onClose: (close) => this.#closed(close),
    });
  }

  #closed(close: { code: number; reason: string }): void {
    this.#link = null;
    this.#isOpen = false;
    clearTimeout(this.#settleTimer);
    if (this.#isClosed) return;
    for (const channel of this.#channels.values()) if (channel.kind === 'run') channel.replica.disconnected();
    if (!mayReconnect(close.code)) {
      this.#stop({ state: 'stopped', ...close });
      return;
    }
    const { min_ms, max_ms } = this.#reconnect;
    const retryInMs = this.#options.random() * Math.min(max_ms, min_ms * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#say({ state: 'waiting', retryInMs });
    this.#retryTimer = setTimeout(() => this.#connect(), retryInMs);
  }

  #stop(status: StreamStatus): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settleTimer);
    this.#say(status);
  }

  #receive(frame: ServerFrameFields): void {
    if (frame.hello !== undefined) this.#greeted(frame.hello);
    else if (frame.tips !== undefined) this.#compare(frame.tips);
    else if (frame.ch !== undefined) this.#receiveOf(frame.ch, frame);
  }

  #greeted(hello: NonNullable<ServerFrameFields['hello']>): void {
    this.#isOpen = true;
    this.#reconnect = hello.reconnect;
    this.#link?.expectEvery(hello.heartbeat_ms);
    this.#settleTimer = setTimeout(() => {
      this.#attempt = 0;
    }, SETTLED_MS);
    this.#say({ state: 'open' });
    this.#ask([...this.#channels.keys()]);
  }

  #compare(tips: Readonly<Record<string, number | null>>): void {
    const lost = Object.entries(tips).filter(([ch, tip]) => {
      const channel = this.#channels.get(ch);
      return channel?.kind === 'run' && channel.replica.isBehind(tip);
    });
    this.#ask(lost.map(([ch]) => ch));
  }

  #receiveOf(ch: string, frame: ServerFrameFields): void {
    const channel = this.#channels.get(ch);
    if (channel === undefined) return;
    const refused = refusalOf(frame);
    if (channel.kind === 'index') {
      const update = refused ?? indexUpdateOf(frame);
      if (update !== null) for (const listener of channel.listeners) listener(update);
      return;
    }
    if (refused !== null) {
      for (const listener of channel.listeners) listener(refused);
      return;
    }
    const { updates, ask } = channel.replica.receive(frame);
    for (const update of updates) for (const listener of channel.listeners) listener(update);
    if (ask) this.#ask([ch]);
  }

  #ask(channels: readonly string[]): void {
    if (!this.#isOpen) return;
    for (let from = 0; from < channels.length; from += CHANNELS_PER_FRAME) {
      const id = this.#nextId;
      this.#nextId += 1;
      const sub = channels.slice(from, from + CHANNELS_PER_FRAME).map((ch) => {
        const channel = this.#channels.get(ch);
        if (channel?.kind !== 'run') return { ch };
        channel.replica.asked(id);
        const { since } = channel.replica;
        return since === null ? { ch } : { ch, since };
      });
      this.#link?.send({ id, sub });
    }
  }

  #unsubscribe<Update>(
    ch: string,
    listeners: Set<(update: Update) => void>,
    listener: (update: Update) => void,
  ): void {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    this.#channels.delete(ch);
    if (!this.#isOpen) return;
    this.#link?.send({ id: this.#nextId, unsub: [ch] });
    this.#nextId += 1;
  }

  #say(status: StreamStatus): void {
    this.#options.onStatus?.(status);
  }
}

function refusalOf(frame: ServerFrameFields): ChannelRefusal | null {
  if (frame.error !== undefined) {
    return { kind: 'refused', code: frame.error.code, message: frame.error.message };
  }
  return null;
}

function indexUpdateOf(frame: ServerFrameFields): IndexUpdate | null {
  if (frame.rows === undefined) return null;
  const { rows, gone, total = 0 } = frame;
  return gone === undefined ? { kind: 'rows', rows, total } : { kind: 'changes', rows, gone };
}
