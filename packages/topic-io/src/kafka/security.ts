import type { ConnectionOptions } from 'node:tls';
import type { Logger } from '../logger.ts';
import type { KafkaOptions } from './config.ts';
import { ConnectionRefusal, tlsRefusal } from './connection-refusal.ts';
import { KafkaFault, NOT_CONNECTABLE } from './faults.ts';
import { type SaslLogin, saslLogin } from './sasl-login.ts';
import { tlsOptionsSource } from './tls-settings.ts';

/** The same reason is said once in this time. */
const SAME_LINE_MS = 60_000;
/** More than the brokers of a cluster, each of which has a reason of its own. The one said longest ago is forgotten. */
const REASONS_MAX = 256;

/** How all connections of an open log are protected, with certificates and secrets that may be replaced meanwhile. */
export class KafkaSecurity {
  /** Is null without TLS. Each connection asks for its options anew. Throws if the files never made sense. */
  readonly tlsOptions: (() => ConnectionOptions) | null;
  readonly login: SaslLogin | null;
  readonly #tls: { readonly caFile: string | undefined; readonly hasClientCertificate: boolean };
  readonly #logger: Logger;
  #hasWorked = false;
  /** When each reason was said last, the oldest first. */
  readonly #saidAtMs = new Map<string, number>();

  constructor({ ssl = false, sasl, logger }: Pick<KafkaOptions, 'ssl' | 'sasl' | 'logger'>) {
    const tls = ssl === true ? {} : ssl;
    this.#logger = logger;
    this.tlsOptions = tls === false ? null : tlsOptionsSource(tls, logger);
    this.login = sasl === undefined ? null : saslLogin(sasl, logger);
    this.#tls =
      tls === false
        ? { caFile: undefined, hasClientCertificate: false }
        : { caFile: tls.caFile, hasClientCertificate: tls.client !== undefined };
  }

  /** Is told that a request was answered, so the settings are right. */
  worked(): void {
    this.#hasWorked = true;
  }

  /**
   * Says of a fault what is wrong with the settings of the connection, if it shows that. Before anything has worked that
   * is final. Afterwards it passes, because a replacement of a secret reaches the brokers and this process one after the
   * other.
   */
  explain(fault: KafkaFault): KafkaFault {
    const refusal =
      fault instanceof ConnectionRefusal ? fault : (refusalWithin(fault) ?? this.#tlsRefusal(fault));
    if (refusal === null) return fault;
    if (!this.#hasWorked) return refusal;
    this.#say(refusal.message);
    return new KafkaFault(null, refusal.message, { cause: fault });
  }

  /** Other connections may go on meanwhile, so nothing shows when the refusal is over. */
  #say(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - (this.#saidAtMs.get(reason) ?? -SAME_LINE_MS) < SAME_LINE_MS) return;
    this.#saidAtMs.delete(reason);
    this.#saidAtMs.set(reason, nowMs);
    for (const oldest of this.#saidAtMs.keys()) {
      if (this.#saidAtMs.size <= REASONS_MAX) break;
      this.#saidAtMs.delete(oldest);
    }
    this.#logger.warn({ reason }, 'a connection to kafka is refused; trying again');
  }

  #tlsRefusal({ cause, message }: KafkaFault): ConnectionRefusal | null {
    const { broker, code } = (cause ?? {}) as { broker?: unknown; code?: unknown };
    if (typeof broker !== 'string' || typeof code !== 'string') return null;
    return tlsRefusal({ broker, code, message, tls: this.#tls });
  }
}

/**
 * The refusal with which our authentication ended a socket, as kafkajs hands it to the other requests of that connection.
 * Nothing says whether the broker carried these out.
 */
function refusalWithin({ cause, message }: KafkaFault): ConnectionRefusal | null {
  const { code } = (cause ?? {}) as { code?: unknown };
  return code === NOT_CONNECTABLE ? new ConnectionRefusal(message.replace(/^Connection error: /, '')) : null;
}
