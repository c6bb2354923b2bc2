import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { type Asked, type AskOptions, askHeld, waitUntilRead } from './ask-held.ts';
import { HeldEvents } from './held-events.ts';

/** What the runs of one import hold. Each run is asked for once, when its first event comes. */
export class RunsHeld {
  readonly held = new HeldEvents();
  readonly #options: Omit<AskOptions, 'held'>;
  /** As many as the recordings name; the services bound those as well. */
  readonly #asked = new Map<string, Asked>();
  #isRead = false;

  constructor(options: Omit<AskOptions, 'held'>) {
    this.#options = options;
  }

  /** Resolves when `held` knows the run, or when it is known why it cannot. */
  async ask(run: RunKey): Promise<Asked> {
    const key = formatRunKey(run);
    const before = this.#asked.get(key);
    if (before !== undefined) return before;
    const options = { ...this.#options, held: this.held };
    // What is sent later is taken into account as it is sent.
    if (!this.#isRead) await waitUntilRead(options);
    this.#isRead = true;
    const asked = await askHeld(run, options);
    this.#asked.set(key, asked);
    return asked;
  }

  /** Returns what `ask` resolved with, if that was asked. */
  asked(run: RunKey): Asked | undefined {
    return this.#asked.get(formatRunKey(run));
  }
}
