import type { TopicIoLog } from '../topic-io-log.ts';
import type { KafkaFault } from './faults.ts';

/** Says once that Kafka cannot be reached and once that it can again, however many connections notice and retry. */
export class Reachability {
  readonly #log: TopicIoLog;
  readonly #brokers: readonly string[];
  readonly #failing = new Set<object>();
  #said = false;

  constructor(options: { log: TopicIoLog; brokers: readonly string[] }) {
    this.#log = options.log;
    this.#brokers = options.brokers;
  }

  failed(session: object, fault: KafkaFault): void {
    this.#failing.add(session);
    if (this.#said) return;
    this.#said = true;
    this.#log.warn({ brokers: this.#brokers, reason: fault.message }, 'kafka does not answer; trying again');
  }

  answered(session: object): void {
    this.#failing.delete(session);
    if (!this.#said || this.#failing.size > 0) return;
    this.#said = false;
    this.#log.info({ brokers: this.#brokers }, 'kafka answers again');
  }

  /** A session that is closed says nothing about Kafka any more. */
  forget(session: object): void {
    this.#failing.delete(session);
  }
}
