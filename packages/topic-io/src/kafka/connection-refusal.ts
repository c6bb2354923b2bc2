import { KafkaFault, NOT_CONNECTABLE } from './faults.ts';

const ILLEGAL_SASL_STATE = 34;

/**
 * The broker, or what gives the tokens for it, does not accept the settings of the connection. Trying again does not
 * help while the settings are new; a connection that worked before may work again, when a replacement is complete.
 */
export class ConnectionRefusal extends KafkaFault {
  constructor(message: string) {
    super(NOT_CONNECTABLE, message);
    this.name = 'ConnectionRefusal';
    this.message = message;
  }
}

interface TlsUse {
  /** What the connection was made with, for the advice. */
  readonly caFile: string | undefined;
  readonly hasClientCertificate: boolean;
}

const NOT_TRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'CERT_SIGNATURE_FAILURE',
]);

/** What a broker answers if it does not accept the client's certificate, or wants one and gets none. */
const CLIENT_REFUSED =
  /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_(?:UNKNOWN|EXPIRED|REVOKED|REQUIRED)|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)$/;

/** Says in one sentence why TLS failed and what to set. Returns null if the error is not about certificates. */
export function tlsRefusal(use: {
  broker: string;
  code: string;
  message: string;
  tls: TlsUse;
}): ConnectionRefusal | null {
  const { broker, code, message, tls } = use;
  if (NOT_TRUSTED.has(code)) return new ConnectionRefusal(notTrusted(broker, code, tls.caFile));
  if (CLIENT_REFUSED.test(code)) return new ConnectionRefusal(clientRefused(broker, code, tls));
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return new ConnectionRefusal(
        `the certificate of ${broker} has expired: have the broker's renewed, or check the clock of this machine`,
      );
    case 'CERT_NOT_YET_VALID':
      return new ConnectionRefusal(
        `the certificate of ${broker} is not valid yet: check the clock of this machine`,
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return new ConnectionRefusal(
        `the certificate of ${broker} is for another name (${altNameReason(message)}): connect to the broker by a ` +
          'name in it, or set KAFKA_SSL_SERVER_NAME to one',
      );
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return new ConnectionRefusal(
        `${broker} does not speak TLS: name the port of its TLS listener, or leave KAFKA_SSL out`,
      );
    case 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION':
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return new ConnectionRefusal(`${broker} offers no TLS version of 1.2 or newer`);
    default:
      return null;
  }
}

function notTrusted(broker: string, code: string, caFile: string | undefined): string {
  return caFile === undefined
    ? `the certificate of ${broker} is of an authority that is not trusted (${code}): set KAFKA_SSL_CA_FILE to the ` +
        'file with the certificate of the authority'
    : `the certificate of ${broker} is of an authority that is not in KAFKA_SSL_CA_FILE=${caFile} (${code}): add the ` +
        'certificate of its authority to that file, with those between, or name the right file';
}

function clientRefused(broker: string, code: string, tls: TlsUse): string {
  return tls.hasClientCertificate
    ? `${broker} does not accept the certificate in KAFKA_SSL_CERT_FILE (${code}): use one that is valid and that an ` +
        'authority in its trust store has issued'
    : `${broker} wants a certificate from its clients (${code}): set KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE`;
}

function altNameReason(message: string): string {
  return /altnames: (.*)$/s.exec(message)?.[1]?.trim() ?? 'no matching name';
}

/** A broker's answer to the choice of a mechanism, if it is not among those that it offers. */
export function mechanismRefusal(use: {
  broker: string;
  mechanism: string;
  code: number;
  offered: readonly string[];
}): ConnectionRefusal | null {
  const { broker, mechanism, code, offered } = use;
  if (code === ILLEGAL_SASL_STATE) {
    return new ConnectionRefusal(
      `the listener of ${broker} asks for no SASL: leave KAFKA_SASL_MECHANISM out, or name the port of a listener ` +
        'that does',
    );
  }
  if (code === 0 && offered.includes(mechanism)) return null;
  const names = offered.map((name) => name.toLowerCase()).join(', ') || 'no mechanism';
  return new ConnectionRefusal(
    `${broker} does not offer the SASL mechanism ${mechanism}: set KAFKA_SASL_MECHANISM to what it offers (${names})`,
  );
}
