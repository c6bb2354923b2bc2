import { STREAM_HEARTBEAT_MS, STREAM_PONG_MS_MAX, STREAM_RECONNECT_MS_MIN } from '@runlog/schema/limits';
import type { CloseReason } from '@runlog/schema/stream/close-codes';
import type { Clock } from '@runlog/service-kit/clock';
import { HttpFault, RETRY_AFTER_SECONDS } from '@runlog/service-kit/http-server';
import type { Logger } from '@runlog/topic-io/logger';
import type { Access, Viewer } from '../access.ts';
import { type EncodedFrame, encode } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { CLOSE_MS_MAX, Connection } from './connection.ts';
import { type Flushable, FlushQueue } from './flush-queue.ts';
import type { Sink } from './sink.ts';

const TICK_MS = 100;
/** The places in the interval over which heartbeats are spread. Each connection has its own, by chance. */
const HEARTBEAT_SLOTS = STREAM_HEARTBEAT_MS / TICK_MS;
/** A tick that is later than this says that nothing was read for as long, pongs neither. */
const LATE_TICK_MS = 10 * TICK_MS;
/** Few connections are closed sooner than the window for draining allows. */
const DRAIN_MS_PER_CONNECTION = 10;
/** How long connections that were cut may take to say so. */
const CUT_MS_MAX = 500;
/** Refused clients are asked to come back within so many seconds. */
const RETRY_SPREAD_SECONDS = 5;
/** Clients without a window of their own come back after a time from here on, spread over so long. */
const COME_BACK_MS_MIN = 2 * STREAM_RECONNECT_MS_MIN;
const COME_BACK_MS_SPREAD = 5_000;

export interface ConnectionsOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** The most connections of all transports. Any other is refused. */
  readonly connectionsMax: number;
  /** The longest window over which connections are closed when the gateway drains. */
  readonly drainMs: number;
  /** Is called with the number of frames of each batch that is handed to a connection. */
  readonly onSent: (frames: number) => void;
}

/**
 * Every open connection, whichever its transport. One timer serves all of them. Each has its heartbeat at a moment of
 * its own within the interval.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  /** With the slot of each. */
  readonly #connections = new Map<Connection, Set<Connection>>();
  readonly #flushes = new FlushQueue();
  readonly #flushLater = (outbox: Flushable) => this.#flushes.add(outbox);
  readonly #slots: Set<Connection>[] = Array.from({ length: HEARTBEAT_SLOTS }, () => new Set());
  /** Connections that owe a sign of life, in the order in which they were asked. */
  readonly #asked = new Set<Connection>();
  readonly #openListeners = new Set<(connection: Connection) => void>();
  readonly #stopListening: () => void;
  #cancelTick: (() => void) | null = null;
  #tickedAtMs = 0;
  #bytesSentBefore = 0;
  #isDraining = false;
  #emptied: () => void = () => undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#stopListening = options.access.onChange(() => {
      for (const connection of this.#connections.keys()) connection.recheckKey();
    });
  }

  /** The open connections by transport, and the number of those whose queue is full. */
  get load(): { websocket: number; sse: number; lagging: number } {
    const load = { websocket: 0, sse: 0, lagging: 0 };
    for (const { sink, isFull } of this.#connections.keys()) {
      load[sink.transport] += 1;
      if (isFull) load.lagging += 1;
    }
    return load;
  }

  /** Who follows a run now: the number of connections, and the ids of their keys, sorted. */
  watching(key: string): { connections: number; keys: string[] } {
    let connections = 0;
    const keys = new Set<string>();
    for (const connection of this.#connections.keys()) {
      const viewer = connection.watcherOf(key);
      if (viewer === null) continue;
      connections += 1;
      if (viewer.keyId !== undefined) keys.add(viewer.keyId);
    }
    return { connections, keys: [...keys].sort() };
  }

  /** The bytes written to all connections since the start, framing included. */
  get bytesSent(): number {
    let bytes = this.#bytesSentBefore;
    for (const { sink } of this.#connections.keys()) bytes += sink.bytesWritten;
    return bytes;
  }

  /** Returns why no further connection is accepted now, or null. */
  refusal(): HttpFault | null {
    if (this.#isDraining) return new HttpFault('closing', 'this gateway is closing');
    if (this.#connections.size < this.#options.connectionsMax) return null;
    const retryAfterSeconds = RETRY_AFTER_SECONDS + Math.floor(this.#options.random() * RETRY_SPREAD_SECONDS);
    return new HttpFault('overloaded', 'this gateway serves as many connections as it may', {
      retryAfterSeconds,
    });
  }

  /**
   * Opens a connection over a sink. Its transport calls `ended` once the sink has ended. `viewer` is null if the client
   * must show a key in its first frame, and `greeting` goes out before every other frame.
   */
  open(of: { sink: Sink; hub: Hub; viewer: Viewer | null; greeting?: EncodedFrame }): Connection {
    const { access, clock, logger, onSent, random } = this.#options;
    const { sink, hub, viewer, greeting } = of;
    const connection = new Connection({
      ...{ sink, hub, access, viewer, clock, logger, onSent },
      flushLater: this.#flushLater,
    });
    const slot = this.#slots[Math.floor(random() * HEARTBEAT_SLOTS)]!;
    slot.add(connection);
    this.#connections.set(connection, slot);
    this.#startTicking();
    sink.comeBackAfter(COME_BACK_MS_MIN + random() * COME_BACK_MS_SPREAD);
    if (greeting !== undefined) connection.push(greeting);
    for (const listener of this.#openListeners) listener(connection);
    return connection;
  }

  /** Is called when the transport of a connection has ended. */
  ended(connection: Connection): void {
    const slot = this.#connections.get(connection);
    if (slot === undefined) return;
    this.#connections.delete(connection);
    slot.delete(connection);
    this.#bytesSentBefore += connection.sink.bytesWritten;
    this.#asked.delete(connection);
    connection.ended();
    if (this.#connections.size > 0) return;
    this.#cancelTick?.();
    this.#cancelTick = null;
    this.#emptied();
  }

  /** Sends a frame to every client. */
  broadcast(frame: EncodedFrame): void {
    for (const connection of this.#connections.keys()) connection.push(frame);
  }

  /** Calls the listener with every connection that opens, after its greeting, until the returned function is called. */
  onOpen(listener: (connection: Connection) => void): () => void {
    this.#openListeners.add(listener);
    return () => this.#openListeners.delete(listener);
  }

  /** Ends every connection. The clients come back and resume. */
  closeAll(reason: CloseReason): void {
    for (const connection of this.#connections.keys()) connection.close(reason);
  }

  /**
   * Accepts no further connection, tells every client, closes each at a random time within a window, and then cuts those
   * that have not ended. Resolves at the latest a short time after that.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const { clock, random, drainMs } = this.#options;
    const windowMs = Math.min(drainMs, this.#connections.size * DRAIN_MS_PER_CONNECTION);
    this.broadcast(encode({ drain: { within_ms: windowMs } }));
    for (const connection of this.#connections.keys()) {
      connection.sink.comeBackAfter(STREAM_RECONNECT_MS_MIN + random() * windowMs);
      clock.after(random() * windowMs, () => connection.close('draining'));
    }
    await this.#emptyWithin(windowMs + CLOSE_MS_MAX);
    for (const { sink } of this.#connections.keys()) sink.cut();
    await this.#emptyWithin(CUT_MS_MAX);
    for (const connection of [...this.#connections.keys()]) this.ended(connection);
    this.#stopListening();
  }

  /** Resolves when no connection is left, or when the time is over. */
  async #emptyWithin(ms: number): Promise<void> {
    if (this.#connections.size === 0) return;
    const emptied = new AbortController();
    this.#emptied = () => emptied.abort();
    await this.#options.clock.sleep(ms, emptied.signal);
    this.#emptied = () => undefined;
  }

  #startTicking(): void {
    if (this.#cancelTick !== null) return;
    this.#tickedAtMs = this.#options.clock.now();
    this.#cancelTick = this.#options.clock.after(TICK_MS, this.#tick);
  }

  /** Sends heartbeats to the connections whose time it is, and ends those that owe an answer for too long. */
  readonly #tick = (): void => {
    const { clock } = this.#options;
    const nowMs = clock.now();
    const isLate = nowMs - this.#tickedAtMs > LATE_TICK_MS;
    if (!isLate) this.#endSilent(nowMs);
    // After a long pause each slot is due once.
    const slots = Math.floor(nowMs / TICK_MS) - Math.floor(this.#tickedAtMs / TICK_MS);
    for (let back = Math.min(slots, HEARTBEAT_SLOTS) - 1; back >= 0; back -= 1) {
      const slot = (Math.floor(nowMs / TICK_MS) - back) % HEARTBEAT_SLOTS;
      for (const connection of this.#slots[slot]!) {
        if (!connection.heartbeat()) continue;
        this.#asked.delete(connection);
        this.#asked.add(connection);
      }
    }
    this.#tickedAtMs = nowMs;
    this.#cancelTick = this.#connections.size === 0 ? null : clock.after(TICK_MS, this.#tick);
  };

  #endSilent(nowMs: number): void {
    for (const connection of this.#asked) {
      const { pingedAtMs } = connection;
      if (pingedAtMs !== null && nowMs - pingedAtMs <= STREAM_PONG_MS_MAX) return;
      this.#asked.delete(connection);
      if (pingedAtMs !== null) connection.close('no_pong');
    }
  }
}
