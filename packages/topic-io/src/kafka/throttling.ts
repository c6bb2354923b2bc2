import type { Logger } from '../logger.ts';

/** A shorter wait is not worth a line. */
const WORTH_A_LINE_MS = 1_000;
/** While it lasts, it is said again so often. */
const SAID_EVERY_MS = 60_000;

/**
 * Knows for how long the brokers have this process wait, because it has used up a quota of the cluster. Each answer says it
 * (KIP-219), and kafkajs sends nothing on that connection for so long.
 */
export class Throttling {
  readonly #logger: Logger;
  readonly #now: () => number;
  #untilMs = Number.NEGATIVE_INFINITY;
  #saidMs = Number.NEGATIVE_INFINITY;

  /** `now` gives milliseconds that never go back. */
  constructor(options: { logger: Logger; now?: () => number }) {
    this.#logger = options.logger;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Is told of each answer of a broker. */
  answered(answer: unknown, of: { broker: string; request: string }): void {
    const throttleMs = throttleTimeOf(answer);
    if (throttleMs <= 0) return;
    const nowMs = this.#now();
    this.#untilMs = Math.max(this.#untilMs, nowMs + throttleMs);
    if (throttleMs < WORTH_A_LINE_MS || nowMs - this.#saidMs < SAID_EVERY_MS) return;
    this.#saidMs = nowMs;
    this.#logger.warn({ ...of, throttleMs }, SAID);
  }

  /** For how long some connection still has to wait, in milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - this.#now());
  }
}

const SAID =
  'a quota of the cluster slows this process down; everything goes on, later (kafka-configs.sh --describe ' +
  '--entity-type users, or clients, shows it)';

function throttleTimeOf(answer: unknown): number {
  if (typeof answer !== 'object' || answer === null || !('clientSideThrottleTime' in answer)) return 0;
  return typeof answer.clientSideThrottleTime === 'number' ? answer.clientSideThrottleTime : 0;
}
