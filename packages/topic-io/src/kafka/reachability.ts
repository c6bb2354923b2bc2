import type { Broker } from 'kafkajs/src/broker/index.js';
import { messageOf } from '../error-message.ts';
import type { Logger } from '../logger.ts';
import { addressOf } from './broker-address.ts';
import { BOUNDS, type KafkaOptions } from './config.ts';
import { connectionReason } from './connection-reason.ts';
import { toKafkaFault } from './faults.ts';
import { Throttling } from './throttling.ts';

/** Requests with which a connection begins. An answer to them does not mean that the broker serves this process. */
const BEGINNINGS = new Set<number>([
  17, // SaslHandshake
  18, // ApiVersions
  36, // SaslAuthenticate
]);

interface Silence {
  /** When the oldest request was sent that was not answered. */
  readonly sinceMs: number;
  readonly said: boolean;
}

/**
 * Logs once for each broker that it does not answer, and once that it does again, however many connections of this process
 * notice it and retry. It also puts into the errors of kafkajs what they are about.
 */
export class Reachability {
  readonly throttling: Throttling;
  readonly #logger: Logger;
  readonly #options: { readonly brokers: readonly string[]; readonly ssl: boolean; readonly sasl: boolean };
  readonly #silences = new Map<string, Silence>();
  /** When each address answered last. There are as many as the cluster had brokers since the start. */
  readonly #answeredMs = new Map<string, number>();

  constructor({ logger, brokers, ssl, sasl }: Pick<KafkaOptions, 'logger' | 'brokers' | 'ssl' | 'sasl'>) {
    this.#logger = logger;
    this.throttling = new Throttling({ logger });
    this.#options = { brokers, ssl: Boolean(ssl), sasl: sasl !== undefined };
  }

  /** Watches the connections to one broker until the signal aborts. */
  watch(pool: Broker['connectionPool'], closing: AbortSignal): void {
    const address = addressOf(pool);
    const { send, getConnection } = pool;
    const failed = (error: unknown, sentMs: number) => {
      if (closing.aborted) return;
      if (toKafkaFault(error).code === null) this.#failed(address, { error, sentMs });
      else this.#answered(address);
    };
    pool.send = async (call) => {
      const sentMs = performance.now();
      try {
        const answer = await send.call(pool, call);
        this.throttling.answered(answer, { broker: address, request: call.request.apiName });
        if (!BEGINNINGS.has(call.request.apiKey)) this.#answered(address);
        return answer as never;
      } catch (error) {
        failed(error, sentMs);
        throw error;
      }
    };
    pool.getConnection = async (index) => {
      const sentMs = performance.now();
      try {
        return await getConnection.call(pool, index);
      } catch (error) {
        failed(error, sentMs);
        throw error;
      }
    };
  }

  #failed(address: string, { error, sentMs }: { error: unknown; sentMs: number }): void {
    const nowMs = performance.now();
    const answeredMs = this.#answeredMs.get(address);
    if (error instanceof Error) {
      error.message = connectionReason(error, {
        ...{ address, ...this.#options },
        isKnown: answeredMs !== undefined,
      });
    }
    const held = this.#silences.get(address);
    // A request that takes long is no silence if the broker answered others meanwhile.
    const sinceMs = held?.sinceMs ?? Math.max(sentMs, answeredMs ?? sentMs);
    const isNews = held?.said !== true && nowMs - sinceMs >= BOUNDS.faultWorthALineMs;
    this.#silences.set(address, { sinceMs, said: isNews || held?.said === true });
    if (!isNews) return;
    this.#logger.warn(
      { broker: address, reason: messageOf(error) },
      'a broker does not answer; trying again',
    );
  }

  #answered(address: string): void {
    const nowMs = performance.now();
    this.#answeredMs.set(address, nowMs);
    const held = this.#silences.get(address);
    if (held === undefined) return;
    this.#silences.delete(address);
    if (!held.said) return;
    const silentMs = Math.round(nowMs - held.sinceMs);
    this.#logger.info({ broker: address, silentMs }, 'the broker answers again');
  }
}
