import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { Logger } from '../logger.ts';
import type { KafkaTls } from './config.ts';
import { FreshFiles } from './fresh-files.ts';
import { secretIn } from './secrets.ts';

const KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const ANY_CERTIFICATE = /-----BEGIN CERTIFICATE-----/;
const BEGINNING = /-----BEGIN CERTIFICATE-----/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The texts of the files. The variables that name them are in the messages, because they are what a person changes. */
export interface TlsTexts {
  readonly ca?: string | undefined;
  readonly client?:
    | { readonly cert: string; readonly key: string; readonly passphrase?: string | undefined }
    | undefined;
}

/** Returns one sentence for each text that cannot be used. None quotes a text. */
export function tlsTextFaults({ ca, client }: TlsTexts): string[] {
  const faults: string[] = [];
  const caFault = ca === undefined ? null : certificatesFault('KAFKA_SSL_CA_FILE', ca);
  if (caFault !== null) faults.push(caFault);
  if (client === undefined) return faults;
  if (KEY.test(client.cert) && !holdsCertificates(client.cert) && holdsCertificates(client.key)) {
    return [
      ...faults,
      'KAFKA_SSL_CERT_FILE holds a key, and KAFKA_SSL_KEY_FILE a certificate: exchange them',
    ];
  }
  const certFault = certificatesFault('KAFKA_SSL_CERT_FILE', client.cert);
  if (certFault !== null) return [...faults, certFault];
  const { cert, key, passphrase } = client;
  try {
    createSecureContext({ cert, key, passphrase });
  } catch (error) {
    const fault = keyFault((error as NodeJS.ErrnoException).code, passphrase);
    faults.push(fault ?? `KAFKA_SSL_KEY_FILE does not hold a whole key in PEM${heldInstead(key, KEY)}`);
  }
  return faults;
}

function keyFault(code: string | undefined, passphrase: string | undefined): string | null {
  switch (code) {
    case 'ERR_OSSL_X509_KEY_VALUES_MISMATCH':
    case 'ERR_OSSL_X509_KEY_TYPE_MISMATCH':
      return 'KAFKA_SSL_KEY_FILE is not the key of the certificate in KAFKA_SSL_CERT_FILE';
    case 'ERR_OSSL_BAD_DECRYPT':
    case 'ERR_OSSL_EVP_BAD_DECRYPT':
    case 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED':
    case 'ERR_MISSING_PASSPHRASE':
      return passphrase === undefined
        ? 'KAFKA_SSL_KEY_FILE is encrypted: set KAFKA_SSL_KEY_PASSPHRASE or KAFKA_SSL_KEY_PASSPHRASE_FILE'
        : 'KAFKA_SSL_KEY_PASSPHRASE does not open KAFKA_SSL_KEY_FILE';
    default:
      return null;
  }
}

/** `variable` names the file that the text is of. */
export function certificatesFault(variable: string, text: string): string | null {
  return holdsCertificates(text)
    ? null
    : `${variable} does not hold whole certificates in PEM${heldInstead(text, ANY_CERTIFICATE)}`;
}

/** Says what a text is that should be something else. */
function heldInstead(text: string, wanted: RegExp): string {
  if (wanted.test(text)) return '';
  if (KEY.test(text)) return ', but a key';
  return ANY_CERTIFICATE.test(text) ? ', but a certificate' : '';
}

function holdsCertificates(text: string): boolean {
  const blocks = text.match(CERTIFICATE) ?? [];
  // A block that was cut off has a beginning only.
  if (blocks.length === 0 || blocks.length !== (text.match(BEGINNING)?.length ?? 0)) return false;
  try {
    return blocks.every((block) => new X509Certificate(block) !== null);
  } catch {
    return false;
  }
}

/** Returns a function that returns the options of the next TLS connection, made of the files as they are now. */
export function tlsOptionsSource(tls: KafkaTls, logger: Logger): () => ConnectionOptions {
  const { caFile, client, serverName } = tls;
  const passphraseFile =
    client?.passphrase !== undefined && 'file' in client.passphrase ? client.passphrase.file : undefined;
  const passphraseValue =
    client?.passphrase !== undefined && 'value' in client.passphrase ? client.passphrase.value : undefined;
  const named = [caFile, client?.certFile, client?.keyFile, passphraseFile];
  const files = new FreshFiles({
    what: 'certificates for Kafka',
    files: named.filter((file) => file !== undefined),
    logger,
    make(texts) {
      const left = [...texts];
      const [ca, cert, key, passphraseText] = named.map((file) =>
        file === undefined ? undefined : left.shift(),
      );
      const passphrase = passphraseText === undefined ? passphraseValue : secretIn(passphraseText);
      const own = cert === undefined || key === undefined ? undefined : { cert, key, passphrase };
      const faults = tlsTextFaults({ ca, client: own });
      if (faults.length > 0) throw new Error(faults.join('; '));
      return createSecureContext({ ca, ...own });
    },
  });
  return () => ({
    secureContext: files.get(),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
}
