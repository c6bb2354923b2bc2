import { BODY_EVENTS_MAX } from '@runlog/schema/limits';
import { type SendOptions, type SendOutcome, type SendTarget, sendEvents } from '../services/send-events.ts';

/** The largest body. It is below ingest's bound, so that two of them need little memory. */
const BODY_BYTES_MAX = 1024 * 1024;
/** How long an event waits for others to share a request with, if they come slowly. */
const GATHER_MS_MAX = 500;

export interface PlacedEvent {
  readonly place: string;
  readonly bytes: Buffer;
}

/** Sends events in order: one body is in flight while the next one is gathered. */
export class EventBatches {
  readonly #send: (events: readonly PlacedEvent[]) => Promise<SendOutcome>;
  readonly #onSent: (events: readonly PlacedEvent[], outcome: SendOutcome) => void;
  #batch: PlacedEvent[] = [];
  #bytes = 0;
  #inFlight: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: {
    target: SendTarget;
    send: SendOptions;
    onSent: (events: readonly PlacedEvent[], outcome: SendOutcome) => void;
  }) {
    this.#send = (events) =>
      sendEvents(
        events.map(({ bytes }) => bytes),
        options.target,
        options.send,
      );
    this.#onSent = options.onSent;
  }

  /** Resolves when there is room for another event. Rejects as `sendEvents` does, also for events that were added before. */
  async add(event: PlacedEvent): Promise<void> {
    this.#batch.push(event);
    this.#bytes += event.bytes.length + 1;
    if (this.#batch.length >= BODY_EVENTS_MAX || this.#bytes >= BODY_BYTES_MAX) return this.flush();
    this.#timer ??= setTimeout(() => {
      // Whoever adds or ends next learns of a failure.
      this.flush().catch(() => undefined);
    }, GATHER_MS_MAX);
  }

  /** Sends what was gathered, when the body before it is settled. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#inFlight;
    const events = this.#batch;
    if (events.length === 0) return;
    this.#batch = [];
    this.#bytes = 0;
    this.#inFlight = this.#send(events).then((outcome) => this.#onSent(events, outcome));
    // The request is awaited before the next one; until then a failure must not count as unhandled.
    this.#inFlight.catch(() => undefined);
  }

  /** Resolves when everything that was added is settled. */
  async end(): Promise<void> {
    await this.flush();
    await this.#inFlight;
  }

  /** Sends nothing more. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
