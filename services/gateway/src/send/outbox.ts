import { STREAM_QUEUE_BYTES_HIGH, STREAM_STUCK_MS_MAX } from '@runlog/schema/limits';
import type { Clock } from '@runlog/service-kit/clock';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Outlet } from '../fan-out/outlet.ts';
import type { Flushable } from './flush-queue.ts';
import type { MessageSink } from './sink.ts';

/**
 * What waits is handed to the sink in parts of about this size, so that a slow reader has room again before it has read
 * everything.
 */
const PART_BYTES_MAX = 64 * 1024;
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
  readonly #defer: (outbox: Flushable) => void;
  readonly #on: OutboxEvents;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #queuedFrames = 0;
  /** What the sink held at the last flush. Since then it has only become less, but for a ping. */
  #heldBytes = 0;
  #scheduled = false;
  #full = false;
  #closed = false;
  #cancelStuck: (() => void) | null = null;

  constructor(options: {
    sink: MessageSink;
    clock: Clock;
    /** Flushes the outbox once the current tick is over. */
    defer: (outbox: Flushable) => void;
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
    this.#queuedBytes += this.#sink.pack(frame, this.#queue);
    this.#queuedFrames += 1;
    if (!this.#full && this.#isAboveHighMark()) {
      this.#full = true;
      this.#cancelStuck = this.#clock.after(STREAM_STUCK_MS_MAX, this.#on.stuck);
      this.#on.full();
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(this);
  }

  /** The sink is asked only if what it held at the last flush would be too much, because frames are pushed far more often. */
  #isAboveHighMark(): boolean {
    if (this.#queuedBytes + this.#heldBytes <= STREAM_QUEUE_BYTES_HIGH) return false;
    this.#heldBytes = this.#sink.bufferedBytes;
    return this.#queuedBytes + this.#heldBytes > STREAM_QUEUE_BYTES_HIGH;
  }

  /** Hands everything queued to the connection now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    const queue = this.#queue;
    if (queue.length === 0) return;
    const frames = this.#queuedFrames;
    const bytes = this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#queuedFrames = 0;
    if (bytes <= PART_BYTES_MAX) this.#sink.send(queue, this.#written);
    else for (const part of inParts(queue)) this.#sink.send(part, this.#written);
    this.#heldBytes = this.#sink.bufferedBytes;
    this.#on.sent?.(frames);
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
    if (this.#queuedBytes + this.#sink.bufferedBytes > QUEUE_BYTES_LOW) return;
    this.#full = false;
    this.#cancelStuck?.();
    this.#cancelStuck = null;
    this.#on.drained();
  };
}

function* inParts(queue: readonly Buffer[]): Generator<Buffer[]> {
  let part: Buffer[] = [];
  let bytes = 0;
  for (const buffer of queue) {
    if (bytes > 0 && bytes + buffer.length > PART_BYTES_MAX) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(buffer);
    bytes += buffer.length;
  }
  if (bytes > 0) yield part;
}
