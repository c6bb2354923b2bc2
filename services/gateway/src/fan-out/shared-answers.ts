import { SharedEnd } from './encoded-frame.ts';

/** An answer holds times that are told in seconds, so it is as good as new for one. */
const GOOD_FOR_MS = 1_000;

interface Answer {
  readonly state: object;
  readonly atMs: number;
  readonly end: SharedEnd;
}

/**
 * The answers that were made last. After a restart many clients ask for the same at once, and to encode a snapshot costs
 * more than everything else that is done for such a client. Beyond `max` the oldest answer is dropped.
 */
export class SharedAnswers {
  readonly #answers = new Map<string, Answer>();
  readonly #max: number;

  constructor({ max }: { max: number }) {
    this.#max = max;
  }

  /** Returns the answer called `name` that was made of this very state, within the same second, or makes it. */
  get(
    name: string,
    of: { state: object; nowMs: number; make: () => { body: { ch: string }; seq: number | null } },
  ): SharedEnd {
    const { state, nowMs, make } = of;
    const held = this.#answers.get(name);
    if (held?.state === state && Math.floor(held.atMs / GOOD_FOR_MS) === Math.floor(nowMs / GOOD_FOR_MS)) {
      return held.end;
    }
    const { body, seq } = make();
    const end = new SharedEnd(JSON.stringify(body), { ch: body.ch, seq });
    this.#answers.delete(name);
    this.#answers.set(name, { state, atMs: nowMs, end });
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= this.#max) break;
      this.#answers.delete(oldest);
    }
    return end;
  }
}
