import { STREAM_AUTH_MS_MAX } from '@runlog/schema/limits';
import type { CloseReason } from '@runlog/schema/stream/close-codes';
import type { Clock } from '@runlog/service-kit/clock';
import type { Logger } from '@runlog/topic-io/logger';
import type { Access, Viewer } from '../access.ts';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Hub } from '../fan-out/hub.ts';
import { Session } from '../fan-out/session.ts';
import type { Flushable } from './flush-queue.ts';
import { Outbox } from './outbox.ts';
import type { Sink } from './sink.ts';

/** How long a connection may take to close before it is cut. */
export const CLOSE_MS_MAX = 1_000;
/**
 * The same for a client that was too slow. The close frame stands behind what it has not read, so it sees the code only
 * if it reads again within this time.
 */
export const SLOW_CLOSE_MS_MAX = 30_000;

/**
 * One client, over whichever transport: a session, the outbox in front of its sink, and everything that ends it. A fault
 * while it is served is logged, and closes this connection only.
 */
export class Connection {
  readonly sink: Sink;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #outbox: Outbox;
  readonly #session: Session;
  /** The viewer that the deadline belongs to. */
  #timed: Viewer | null = null;
  #cancelDeadline: () => void = nothing;
  #cancelCut: () => void = nothing;
  #pingedAtMs: number | null = null;
  #isFull = false;
  #isClosing = false;

  /** `viewer` is null if the client must show a key in its first frame. */
  constructor(options: {
    sink: Sink;
    hub: Hub;
    access: Access;
    viewer: Viewer | null;
    clock: Clock;
    logger: Logger;
    /** Flushes an outbox once the current tick is over. */
    flushLater: (outbox: Flushable) => void;
    /** Is called with the number of frames of each batch that is handed to the sink. */
    onSent: (frames: number) => void;
  }) {
    const { sink, hub, access, viewer, clock } = options;
    this.sink = sink;
    this.#clock = clock;
    this.#logger = options.logger;
    this.#outbox = new Outbox({
      ...{ sink, clock },
      defer: options.flushLater,
      on: {
        full: () => {
          this.#isFull = true;
          // What it answers to an earlier ping would not be read. A full queue has its own timeout.
          this.#pingedAtMs = null;
          // We stop reading from a client that has stopped reading. Otherwise its requests would queue answers without
          // end.
          sink.pause();
        },
        drained: () => {
          this.#isFull = false;
          this.#pingedAtMs = null;
          sink.resume();
          this.#guard(() => this.#session.drained());
        },
        stuck: () => this.close('slow_client'),
        sent: options.onSent,
      },
    });
    this.#session = new Session({
      ...{ hub, outlet: this.#outbox, clock: this.#guardedClock() },
      auth: { viewer, viewerOf: (secret) => access.viewerOf(secret), onRefused: () => this.close('bad_key') },
      guard: (run) => this.#guard(run),
    });
    if (viewer === null) this.#cancelDeadline = clock.after(STREAM_AUTH_MS_MAX, () => this.close('no_auth'));
    else this.#keepTime();
  }

  /** Whether its queue is full. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** When the client was asked for a sign of life that it still owes, else null. */
  get pingedAtMs(): number | null {
    return this.#isClosing ? null : this.#pingedAtMs;
  }

  /** Returns the client's viewer if it follows the run with this key, or its figures, else null. */
  watcherOf(key: string): Viewer | null {
    return this.#session.watches(key) ? this.#session.viewer : null;
  }

  /** Receives a message of the client. */
  receive(message: string): void {
    this.#hear(() => this.#session.receive(message));
  }

  receiveBinary(): void {
    this.#hear(() => this.#session.receiveBinary());
  }

  /** Subscribes on behalf of a client that cannot send frames. */
  subscribe(frame: Parameters<Session['subscribe']>[0]): void {
    this.#hear(() => this.#session.subscribe(frame));
  }

  /** Sends a frame that belongs to no subscription. */
  push(frame: EncodedFrame): void {
    this.#outbox.push(frame);
  }

  /** Any sign of life of the client counts as the answer to a ping. */
  answered(): void {
    this.#pingedAtMs = null;
  }

  /** Tells the client that the connection is alive. Returns whether it must answer that. */
  heartbeat(): boolean {
    // A ping that cannot be written cannot be answered, and a full queue has its own timeout.
    if (this.#isFull || this.#isClosing) return false;
    this.#guard(() => this.#session.heartbeat());
    if (this.#isClosing || !this.sink.ping()) return false;
    this.#pingedAtMs = this.#clock.now();
    return true;
  }

  /** Closes if the key was revoked, or shows other runs than before, so that the client must subscribe anew. */
  recheckKey(): void {
    const standing = this.#session.viewer?.standing() ?? 'current';
    if (standing === 'revoked') this.close('bad_key');
    else if (standing === 'changed') this.close('server_error');
  }

  /** Begins to close: nothing is sent after what is queued now. The connection is cut if that takes too long. */
  close(reason: CloseReason): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#cancelDeadline();
    if (!this.#isFull) this.#outbox.flush();
    this.#release();
    // A paused sink would never see the other side's close.
    this.sink.resume();
    this.sink.close(reason);
    const patienceMs = reason === 'slow_client' ? SLOW_CLOSE_MS_MAX : CLOSE_MS_MAX;
    this.#cancelCut = this.#clock.after(patienceMs, () => this.sink.cut());
  }

  /** Is called when the transport has ended, for whatever reason. */
  ended(): void {
    this.#isClosing = true;
    this.#cancelDeadline();
    this.#cancelCut();
    this.#release();
  }

  #hear(run: () => void): void {
    if (this.#isClosing) return;
    this.#pingedAtMs = null;
    this.#guard(run);
    this.#keepTime();
  }

  /** Whatever a client causes ends at most its own connection. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      const { transport, peer } = this.sink;
      this.#logger.error({ err: error, transport, peer }, 'a stream connection could not be served');
      this.close('server_error');
    }
  }

  /** What the session does later, because of what its client asked for, is guarded too. */
  #guardedClock(): Clock {
    const clock = this.#clock;
    return {
      now: () => clock.now(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (delayMs, run) => clock.after(delayMs, () => this.#guard(run)),
    };
  }

  #release(): void {
    this.#outbox.dispose();
    try {
      this.#session.dispose();
    } catch (error) {
      this.#logger.error({ err: error, peer: this.sink.peer }, 'a stream session could not be ended');
    }
  }

  /** Disconnects the client when the time of its key ends. */
  #keepTime(): void {
    const { viewer } = this.#session;
    if (viewer === null || viewer === this.#timed || this.#isClosing) return;
    this.#timed = viewer;
    this.#cancelDeadline();
    const { expiresAtMs } = viewer;
    if (expiresAtMs === undefined) return;
    const leftMs = expiresAtMs - this.#clock.now();
    this.#cancelDeadline = this.#clock.after(leftMs, () => this.close('bad_key'));
  }
}

function nothing(): void {}
