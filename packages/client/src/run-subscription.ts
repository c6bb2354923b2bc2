import { type BackfillWorld, backfill } from './backfill.ts';
import { EntryDelivery } from './entry-delivery.ts';
import type { ReplicaUpdate } from './run-replica.ts';
import type { RunUpdate } from './run-update.ts';

/** Takes updates as they come. Without a sink they wait until they are pulled. */
export type RunSink = (update: RunUpdate) => void;

/** One subscriber of a run: what it is to get, and the fetching of what is missing. */
export class RunSubscription {
  readonly #delivery: EntryDelivery;
  readonly #world: Omit<BackfillWorld, 'onProgress'>;
  readonly #sink: RunSink | null;
  readonly #onConsumed: (seq: number) => void;
  readonly #stop = new AbortController();
  #isFilling = false;
  #isDraining = false;
  #wake: (() => void) | null = null;

  constructor(options: {
    delivery: ConstructorParameters<typeof EntryDelivery>[0];
    world: Omit<BackfillWorld, 'onProgress'>;
    sink: RunSink | null;
    /** Is called when the subscriber has dealt with the state of this position. */
    onConsumed: (seq: number) => void;
  }) {
    this.#delivery = new EntryDelivery(options.delivery);
    this.#world = options.world;
    this.#sink = options.sink;
    this.#onConsumed = options.onConsumed;
  }

  take(update: ReplicaUpdate): void {
    this.#delivery.take(update);
    this.#turn();
  }

  /** Returns the next update, or null if there is none now. Asking for it says that the one before is dealt with. */
  pull(): RunUpdate | null {
    const update = this.#delivery.pull();
    this.#fill();
    return update;
  }

  /** Resolves when there may be an update to pull. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  consumed(update: RunUpdate): void {
    if (update.kind !== 'snapshot' && update.kind !== 'step') return;
    const { position } = update.snapshot;
    if (position !== null) this.#onConsumed(position.seq);
  }

  end(): void {
    this.#stop.abort();
    this.wake();
  }

  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  #turn(): void {
    if (this.#sink === null) this.wake();
    else this.#drain(this.#sink);
    this.#fill();
  }

  #drain(sink: RunSink): void {
    // A sink that unsubscribes, or makes another update come, must not be called out of order.
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      while (!this.#stop.signal.aborted) {
        const update = this.#delivery.pull();
        if (update === null) return;
        sink(update);
        this.consumed(update);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #fill(): void {
    if (this.#isFilling || this.#stop.signal.aborted || this.#delivery.wanted === null) return;
    this.#isFilling = true;
    const world = { ...this.#world, onProgress: () => this.#turn() };
    void backfill(this.#delivery, world, this.#stop.signal).finally(() => {
      this.#isFilling = false;
      this.#turn();
    });
  }
}
