import type { FrameFaultCode } from '@runlog/schema/faults';
import { frameFaults } from '@runlog/schema/faults';
import { STREAM_CHANNELS_MAX, STREAM_HEARTBEAT_MS } from '@runlog/schema/limits';
import { isGlob } from '@runlog/schema/run/run-glob';
import { parseRunKey } from '@runlog/schema/run/run-key';
import { type Channel, parseChannel } from '@runlog/schema/stream/channels';
import {
  type ClientRequest,
  clientVerbs,
  parseClientFrame,
  type SubscribeFrame,
  verbsIn,
} from '@runlog/schema/stream/client-frames';
import type { Clock } from '@runlog/service-kit/clock';
import { everyone, type Viewer } from '../access.ts';
import { encode, type Hub } from './hub.ts';
import {
  FiguresInterest,
  IndexInterest,
  type Interest,
  type InterestContext,
  RunInterest,
} from './interests.ts';
import type { Outlet } from './outlet.ts';

/** The number of rows of an index reply if the client names no limit. */
const INDEX_ROWS_DEFAULT = 200;
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

  /** `auth` is absent if no keys are required. */
  constructor(options: { hub: Hub; outlet: Outlet; clock: Clock; auth?: SessionAuth }) {
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
      pump: () => this.#pump(),
    };
  }

  /** The client's viewer; null if it has not shown a key yet. */
  get viewer(): Viewer | null {
    return this.#viewer;
  }

  /** Receives one message: a frame, or several separated by newlines. Whatever it holds, the session continues. */
  receive(message: string): void {
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

  #receiveFrame(line: string): void {
    let sent: unknown;
    try {
      sent = JSON.parse(line);
    } catch {
      this.#fault(null, 'bad_frame', 'a frame must be one JSON object');
      return;
    }
    const request = parseClientFrame(sent);
    if (request === null) this.#fault(idOf(sent), 'bad_frame', explain(sent));
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
        this.#subscribe(frame);
        return;
      case 'unsub':
        for (const ch of frame.unsub) this.#drop(ch);
        this.#outlet.push(encode({ id: frame.id, ok: true }));
        return;
      case 'ping':
        this.#outlet.push(encode({ id: frame.id, pong: true }));
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

  #subscribe(frame: SubscribeFrame): void {
    if (frame.sub.length > STREAM_CHANNELS_MAX) {
      this.#fault(frame.id, 'too_many_channels', tooMany);
      return;
    }
    for (const asked of frame.sub) {
      const { ch } = asked;
      const channel = validChannel(ch);
      if (channel === null) {
        this.#fault(frame.id, 'bad_channel', namesOfChannels, ch);
        continue;
      }
      if (this.#viewer === null) {
        this.#fault(frame.id, 'unauthorized', showKey, ch);
        continue;
      }
      this.#drop(ch);
      if (channel.kind !== 'runs' && !this.#viewer.maySee(channel.key)) {
        this.#fault(frame.id, 'forbidden', 'this key does not show this run', ch);
        continue;
      }
      if (this.#channels.size >= STREAM_CHANNELS_MAX) {
        this.#fault(frame.id, 'too_many_channels', tooMany, ch);
        continue;
      }
      const interest = this.#interestIn(channel, { id: frame.id, asked });
      this.#channels.set(ch, interest);
      this.#owed.add(interest);
    }
  }

  #interestIn(channel: Channel, of: { id: number; asked: SubscribeFrame['sub'][number] }): Interest {
    const { id, asked } = of;
    const { ch, since, limit } = asked;
    switch (channel.kind) {
      case 'run':
        return new RunInterest(this.#context, { ch, id, key: channel.key, since: since ?? null });
      case 'figures':
        return new FiguresInterest(this.#context, { id, key: channel.key });
      case 'runs':
        return new IndexInterest(this.#context, {
          ...{ ch, id, glob: channel.glob },
          limit: limit ?? INDEX_ROWS_DEFAULT,
        });
      default: {
        const unreachable: never = channel;
        throw new Error(`unknown channel ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #drop(ch: string): void {
    const interest = this.#channels.get(ch);
    if (interest === undefined) return;
    interest.dispose();
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
const namesOfChannels = 'a channel is run:<cluster/run/group>, figures:<cluster/run/group> or runs:<glob>';
const nobody: Viewer = { scope: ' ', maySee: () => false, standing: () => 'current' };
const tooMany = `a connection may have at most ${STREAM_CHANNELS_MAX} channels`;

/** Returns null if the channel is of an unknown kind, or if its key or glob is invalid. */
function validChannel(ch: string): Channel | null {
  const channel = parseChannel(ch);
  if (channel === null) return null;
  const isValid = channel.kind === 'runs' ? isGlob(channel.glob) : parseRunKey(channel.key) !== null;
  return isValid ? channel : null;
}

function idOf(sent: unknown): number | null {
  const id = (sent as { id?: unknown } | null)?.id;
  return typeof id === 'number' && Number.isSafeInteger(id) ? id : null;
}

function explain(sent: unknown): string {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
    return 'a frame must be one JSON object';
  if (idOf(sent) === null) return 'a frame needs an "id" that is a whole number';
  const named = verbsIn(sent);
  const list = clientVerbs.join(', ');
  if (named.length === 0) return `a frame has one of ${list}`;
  if (named.length > 1) return `a frame has exactly one of ${list}; this one has ${named.join(' and ')}`;
  return `"${named[0]}" does not have the form that the protocol describes`;
}
