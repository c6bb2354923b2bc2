import type { Logger } from '../logger.ts';
import type { KafkaFault } from './faults.ts';

/** Logs once that Kafka cannot be reached, and once that it can again, however many connections notice it and retry. */
export class Reachability {
  readonly #logger: Logger;
  readonly #brokers: readonly string[];
  readonly #failing = new Set<object>();
  #said = false;

  constructor(options: { logger: Logger; brokers: readonly string[] }) {
    this.#logger = options.logger;
    this.#brokers = options.brokers;
  }

  failed(session: object, fault: KafkaFault): void {
    this.#failing.add(session);
    if (this.#said) return;
    this.#said = true;
    this.#logger.warn(
      { brokers: this.#brokers, reason: fault.message },
      'kafka does not answer; trying again',
    );
  }

  answered(session: object): void {
    this.#failing.delete(session);
    if (!this.#said || this.#failing.size > 0) return;
    this.#said = false;
    this.#logger.info({ brokers: this.#brokers }, 'kafka answers again');
  }

  /** Forgets a session: once closed, it says nothing about Kafka any more. */
  forget(session: object): void {
    this.#failing.delete(session);
  }
}
