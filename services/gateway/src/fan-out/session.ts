import type { FrameFaultCode } from '@runlog/schema/faults';
import { frameFaults } from '@runlog/schema/faults';
import { STREAM_CHANNELS_MAX, STREAM_HEARTBEAT_MS, STREAM_VIEWS_MAX } from '@runlog/schema/limits';
import { figuresChannel, runChannel } from '@runlog/schema/stream/channels';
import { type ClientRequest, parseClientFrame } from '@runlog/schema/stream/client-frames';
import { parseSubscription, type SubscriptionRequest } from '@runlog/schema/stream/subscriptions';
import type { Clock } from '@runlog/service-kit/clock';
import { everyone, type Viewer } from '../access.ts';
import { encode } from './encoded-frame.ts';
import type { Hub } from './hub.ts';
import {
  FiguresInterest,
  IndexInterest,
  type Interest,
  type InterestContext,
  RunInterest,
} from './interests.ts';
import type { Outlet } from './outlet.ts';

/**
 * The most frames that are read from one message. A message full of faulty frames must not cause megabytes of answers.
 */
const FRAMES_PER_MESSAGE_MAX = 256;

/** How a client that must show a key can do so. */
export interface SessionAuth {
  /**
   * The viewer, if the request showed a key. If it is null, the client must send a key in a frame, and gets only errors
   * until then.
   */
  readonly viewer: Viewer | null;
  /** Returns null if the key may not view. */
  readonly viewerOf: (secret: string) => Viewer | null;
  /** Is called when a client showed such a key, so that it is disconnected. */
  readonly onRefused: () => void;
}

const noAuth: SessionAuth = { viewer: everyone, viewerOf: () => everyone, onRefused: () => undefined };

/**
 * One client of the stream protocol. Its messages go in through `receive`; frames for it go to the outlet. Memory grows
 * with its subscriptions, but never with what it has not read, because a reply or a merged step is made only when there
 * is room.
 */
export class Session {
  readonly #outlet: Outlet;
  readonly #clock: Clock;
  readonly #channels = new Map<string, Interest>();
  /** Interests that have something to send and wait for room. The one that waits longest comes first. */
  readonly #owed = new Set<Interest>();
  readonly #context: InterestContext;
  readonly #auth: SessionAuth;
  #viewer: Viewer | null;
  #isRefused = false;
  #views = 0;
  /** The subscriptions of the message that is being read. */
  #asked = 0;

  /**
   * `auth` is absent if no keys are required. `guard` runs what the session does because the hub calls it, so that a fault
   * ends this client and not the reading of the log.
   */
  constructor(options: {
    hub: Hub;
    outlet: Outlet;
    clock: Clock;
    auth?: SessionAuth;
    guard?: (run: () => void) => void;
  }) {
    const guard = options.guard ?? ((run: () => void) => run());
    this.#auth = options.auth ?? noAuth;
    this.#viewer = this.#auth.viewer;
    this.#outlet = options.outlet;
    this.#clock = options.clock;
    this.#context = {
      hub: options.hub,
      outlet: options.outlet,
      clock: options.clock,
      viewer: () => this.#viewer ?? nobody,
      owe: (interest) => this.#owed.add(interest),
      pump: () => guard(() => this.#pump()),
    };
  }

  /** The client's viewer; null if it has not shown a key yet. */
  get viewer(): Viewer | null {
    return this.#viewer;
  }

  /** Whether the client follows the run with this key, or its figures. */
  watches(key: string): boolean {
    return this.#channels.has(runChannel(key)) || this.#channels.has(figuresChannel(key));
  }

  /** Receives one message: a frame, or several separated by newlines. Whatever it holds, the session continues. */
  receive(message: string): void {
    this.#asked = 0;
    let frames = 0;
    for (const line of message.split('\n')) {
      if (line.trim() === '') continue;
      if (this.#isRefused) return;
      frames += 1;
      if (frames > FRAMES_PER_MESSAGE_MAX) {
        this.#fault(null, 'bad_frame', `a message may have at most ${FRAMES_PER_MESSAGE_MAX} frames`);
        break;
      }
      this.#receiveFrame(line);
    }
    this.#pump();
  }

  /** Receives a binary message, which is not a frame of this protocol. */
  receiveBinary(): void {
    this.#fault(null, 'bad_frame', 'frames are JSON text; binary messages are not understood');
  }

  /** Is called when the outlet has room again. */
  drained(): void {
    this.#pump();
  }

  /**
   * Tells the client that the connection is alive, and the positions of quiet runs, so that it notices a lost delta.
   */
  heartbeat(): void {
    const quietSinceMs = this.#clock.now() - STREAM_HEARTBEAT_MS;
    const tips: Record<string, number | null> = {};
    for (const interest of this.#channels.values()) {
      if (!(interest instanceof RunInterest)) continue;
      const tip = interest.tip(quietSinceMs);
      if (tip !== undefined) tips[interest.ch] = tip;
    }
    this.#outlet.push(encode({ tips }));
  }

  dispose(): void {
    for (const interest of this.#channels.values()) interest.dispose();
    this.#channels.clear();
    this.#owed.clear();
  }

  /**
   * Subscribes to each item of a `sub` frame, which may be anything. Those that cannot be served are answered by an error
   * each.
   */
  subscribe(frame: { id: number; sub: readonly unknown[] }): void {
    const { id, sub } = frame;
    // Each is answered, so that a message full of short ones would cause megabytes of answers.
    if (this.#asked + sub.length > STREAM_CHANNELS_MAX) {
      this.#fault(id, 'too_many_channels', `a message may have at most ${STREAM_CHANNELS_MAX} subscriptions`);
      return;
    }
    this.#asked += sub.length;
    for (const [at, item] of sub.entries()) {
      const request = parseSubscription(item);
      if (request.kind === 'fault') {
        const { code, message, ch } = request;
        this.#fault(id, code, `sub[${at}]: ${message}`, ch ?? undefined);
      } else {
        this.#subscribeTo(request, id);
      }
    }
    if (sub.length === 0) this.#outlet.push(encode({ id, ok: true }));
    this.#pump();
  }

  #receiveFrame(line: string): void {
    let sent: unknown;
    try {
      sent = JSON.parse(line);
    } catch {
      this.#fault(null, 'bad_frame', 'a frame must be one JSON object');
      return;
    }
    const request = parseClientFrame(sent);
    if (request.verb === 'fault') this.#fault(request.id, 'bad_frame', request.message);
    else this.#handle(request);
  }

  #handle(request: ClientRequest): void {
    const { verb, frame } = request;
    // A subscription reports a missing key for each of its channels.
    const mayAsk = this.#viewer !== null || verb === 'auth' || verb === 'sub';
    if (!mayAsk) {
      this.#fault(frame.id, 'unauthorized', showKey);
      return;
    }
    switch (verb) {
      case 'auth':
        this.#authenticate(frame.id, frame.auth);
        return;
      case 'sub':
        this.subscribe(frame);
        return;
      case 'unsub':
        for (const ch of frame.unsub) this.#drop(ch);
        this.#outlet.push(encode({ id: frame.id, ok: true }));
        return;
      case 'ping':
        this.#outlet.push(encode({ id: frame.id, pong: true }));
        return;
      case 'ack':
        for (const [ch, seq] of Object.entries(frame.ack)) {
          const interest = this.#channels.get(ch);
          if (interest instanceof RunInterest) interest.acknowledged(seq);
        }
        this.#outlet.push(encode({ id: frame.id, ok: true }));
        return;
      default: {
        const unreachable: never = verb;
        throw new Error(`unknown verb ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #authenticate(id: number, secret: string): void {
    const viewer = this.#auth.viewerOf(secret);
    if (viewer === null) {
      this.#isRefused = true;
      this.#auth.onRefused();
    } else if (this.#viewer !== null && this.#viewer.scope !== viewer.scope) {
      this.#fault(id, 'forbidden', 'this connection already uses another key; open a second connection');
    } else {
      this.#viewer = viewer;
      this.#outlet.push(encode({ id, ok: true }));
    }
  }

  #subscribeTo(request: SubscriptionRequest, id: number): void {
    const { ch } = request.asked;
    if (this.#viewer === null) {
      this.#fault(id, 'unauthorized', showKey, ch);
      return;
    }
    this.#drop(ch);
    if (request.kind !== 'runs' && !this.#viewer.maySee(request.key)) {
      this.#fault(id, 'forbidden', 'this key does not show this run', ch);
      return;
    }
    if (this.#channels.size >= STREAM_CHANNELS_MAX) {
      const message = `a connection may have at most ${STREAM_CHANNELS_MAX} channels`;
      this.#fault(id, 'too_many_channels', message, ch);
      return;
    }
    if (request.kind === 'runs' && this.#views >= STREAM_VIEWS_MAX) {
      const message = `a connection may have at most ${STREAM_VIEWS_MAX} index views`;
      this.#fault(id, 'too_many_views', message, ch);
      return;
    }
    const interest = this.#interestIn(request, id);
    if (interest instanceof IndexInterest) this.#views += 1;
    this.#channels.set(ch, interest);
    this.#owed.add(interest);
  }

  #interestIn(request: SubscriptionRequest, id: number): Interest {
    switch (request.kind) {
      case 'run':
        return new RunInterest(this.#context, { id, key: request.key, asked: request.asked });
      case 'figures':
        return new FiguresInterest(this.#context, { id, key: request.key });
      case 'runs':
        return new IndexInterest(this.#context, { id, glob: request.glob, asked: request.asked });
      default: {
        const unreachable: never = request;
        throw new Error(`unknown channel ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #drop(ch: string): void {
    const interest = this.#channels.get(ch);
    if (interest === undefined) return;
    interest.dispose();
    if (interest instanceof IndexInterest) this.#views -= 1;
    this.#channels.delete(ch);
    this.#owed.delete(interest);
  }

  #pump(): void {
    for (const interest of this.#owed) {
      if (!this.#outlet.hasRoom) return;
      this.#owed.delete(interest);
      interest.serve();
    }
  }

  #fault(id: number | null, code: FrameFaultCode, message: string, ch?: string): void {
    const error = { code, message, retry: frameFaults[code].retry };
    this.#outlet.push(encode(ch === undefined ? { id, error } : { id, ch, error }));
  }
}

const showKey = 'show a key first: {"id":0,"auth":"KEY"}';
const nobody: Viewer = { scope: ' ', maySee: () => false, standing: () => 'current' };
