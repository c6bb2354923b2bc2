import { STREAM_QUEUE_BYTES_HIGH, STREAM_STUCK_MS_MAX } from '@runlog/schema/limits';
import type { Clock } from '@runlog/service-kit/clock';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Outlet } from '../fan-out/outlet.ts';
import type { MessageSink } from './sink.ts';

/** Frames are gathered into messages of about this size. One write costs a tenth of sixteen writes. */
const MESSAGE_CHARS_MAX = 64 * 1024;
/** A full queue has room again only when no more than this is left, so that a slow reader does not flap. */
const QUEUE_BYTES_LOW = STREAM_QUEUE_BYTES_HIGH / 2;

export interface OutboxEvents {
  readonly full: () => void;
  readonly drained: () => void;
  readonly stuck: () => void;
  /** Is told how many frames were handed to the connection. */
  readonly sent?: (frames: number) => void;
}

/**
 * The bounded queue in front of one connection. Frames that are pushed in one tick are sent in as few messages as
 * possible. The queue holds at most the high mark plus the last push. A queue that stays full for 30 s is reported once
 * as stuck.
 */
export class Outbox implements Outlet {
  readonly #sink: MessageSink;
  readonly #clock: Clock;
  readonly #defer: (run: () => void) => void;
  readonly #on: OutboxEvents;
  #queue: string[] = [];
  #queuedChars = 0;
  #scheduled = false;
  #full = false;
  #closed = false;
  #cancelStuck: (() => void) | null = null;

  constructor(options: {
    sink: MessageSink;
    clock: Clock;
    /** Runs a function once the current tick is over. */
    defer: (run: () => void) => void;
    on: OutboxEvents;
  }) {
    this.#sink = options.sink;
    this.#clock = options.clock;
    this.#defer = options.defer;
    this.#on = options.on;
  }

  get hasRoom(): boolean {
    return !this.#full && !this.#closed;
  }

  push(frame: EncodedFrame): void {
    if (this.#closed) return;
    const text = this.#sink.textOf(frame);
    this.#queue.push(text);
    this.#queuedChars += text.length + this.#sink.separator.length;
    if (!this.#full && this.#queuedChars + this.#sink.bufferedBytes > STREAM_QUEUE_BYTES_HIGH) {
      this.#full = true;
      this.#cancelStuck = this.#clock.after(STREAM_STUCK_MS_MAX, this.#on.stuck);
      this.#on.full();
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(() => this.flush());
  }

  /** Hands everything queued to the connection now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedChars = 0;
    const { separator } = this.#sink;
    let message = '';
    for (const text of queue) {
      if (message !== '' && message.length + text.length >= MESSAGE_CHARS_MAX) {
        this.#sink.send(message, this.#written);
        message = '';
      }
      message = message === '' ? text : `${message}${separator}${text}`;
    }
    if (message !== '') this.#sink.send(message, this.#written);
    this.#on.sent?.(queue.length);
  }

  /** From now on everything is dropped. */
  dispose(): void {
    this.#closed = true;
    this.#queue = [];
    this.#cancelStuck?.();
    this.#cancelStuck = null;
  }

  readonly #written = (): void => {
    if (this.#closed || !this.#full) return;
    if (this.#queuedChars + this.#sink.bufferedBytes > QUEUE_BYTES_LOW) return;
    this.#full = false;
    this.#cancelStuck?.();
    this.#cancelStuck = null;
    this.#on.drained();
  };
}
