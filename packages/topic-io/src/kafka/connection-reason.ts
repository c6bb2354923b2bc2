import { splitAddress } from './broker-address.ts';

/** What is known of a connection that failed. */
export interface FailedConnection {
  readonly address: string;
  /** The addresses that this process was given. */
  readonly brokers: readonly string[];
  readonly ssl: boolean;
  readonly sasl: boolean;
  /** Whether the address has ever answered this process. */
  readonly isKnown: boolean;
}

const NO_TLS = /before secure TLS connection|wrong version number|packet length too long|ECONNRESET/;
const CLOSED = /Closed connection|ECONNRESET|EPIPE/;

/** Says why a connection failed, and what may be wrong with the configuration if it never worked. It may be told twice. */
export function connectionReason(error: Error, connection: FailedConnection): string {
  const { message } = error;
  const { address, brokers, ssl, sasl, isKnown } = connection;
  if (message.startsWith(`${address}`)) return message;
  const { host } = splitAddress(address);
  const told = brokers.includes(address)
    ? ''
    : ` (the address that ${brokers.join(', ')} gives for this broker: its advertised.listeners)`;
  const where = isKnown ? address : `${address}${told}`;
  const because = (hint: string) => `${where}: ${hint} (${message})`;
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return because(`the name ${host} does not resolve`);
  if (message.includes('ECONNREFUSED')) return because('nothing listens there');
  if (isKnown) return `${where}: ${message}`;
  if (message.includes('speaks TLS')) return because('set KAFKA_SSL=true');
  if (ssl && NO_TLS.test(message)) return because('this port may not speak TLS, and KAFKA_SSL is true');
  if (ssl && !sasl && CLOSED.test(message)) {
    return because('the broker ended the connection; this port may want SASL (KAFKA_SASL_MECHANISM)');
  }
  if (!ssl && CLOSED.test(message)) {
    const wants = sasl ? 'TLS (KAFKA_SSL)' : 'SASL (KAFKA_SASL_MECHANISM) or TLS (KAFKA_SSL)';
    return because(`the broker ended the connection; this port may want ${wants}`);
  }
  return `${where}: ${message}`;
}
