import type { SaslExchange } from 'kafkajs/src/broker/saslAuthenticator/index.js';
import plain from 'kafkajs/src/broker/saslAuthenticator/plain.js';
import scram256 from 'kafkajs/src/broker/saslAuthenticator/scram256.js';
import scram512 from 'kafkajs/src/broker/saslAuthenticator/scram512.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import type { Logger } from '../logger.ts';
import { BearerTokens, expiryOf, tokenIn } from './bearer-token.ts';
import type { KafkaSasl, OauthSasl, PasswordSasl } from './config.ts';
import { ConnectionRefusal } from './connection-refusal.ts';
import { KafkaFault, toKafkaFault } from './faults.ts';
import { FreshFiles } from './fresh-files.ts';
import { mskTokenFetcher } from './msk-token.ts';
import { secretSource } from './secrets.ts';
import { tokenFetcher } from './token-endpoint.ts';

/** How a connection proves who it is, with the secrets as they are at that moment. */
export interface SaslLogin {
  /** As brokers name it. */
  readonly mechanism: string;
  /** Rejects with a KafkaFault. */
  authenticate(exchange: SaslExchange): Promise<void>;
  /** Is told of each success, with the session's life in milliseconds; 0 if it has no end. */
  authenticated(session: { broker: string; lifetimeMs: number }): void;
}

export function saslLogin(sasl: KafkaSasl, logger: Logger): SaslLogin {
  const { mechanism } = sasl;
  return {
    ...loginOf(sasl, logger),
    authenticated: (session) => logger.debug({ ...session, mechanism }, 'authenticated at a broker'),
  };
}

type Exchanging = Omit<SaslLogin, 'authenticated'>;

function loginOf(sasl: KafkaSasl, logger: Logger): Exchanging {
  switch (sasl.mechanism) {
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      return passwordLogin(sasl, logger);
    case 'oauthbearer':
      return oauthLogin(sasl, logger);
    case 'aws-msk-iam': {
      const tokens = new BearerTokens({ fetch: mskTokenFetcher(sasl), now: Date.now, logger });
      const advice = `check the rights of these AWS credentials to the cluster (kafka-cluster:Connect), and the region ${sasl.region}`;
      return bearerLogin({
        token: () => tokens.get(),
        refused: () => tokens.refused(),
        extensions: {},
        advice,
      });
    }
    default: {
      const unreachable: never = sasl;
      throw new Error(`unknown mechanism ${JSON.stringify(unreachable)}`);
    }
  }
}

const PASSWORD_PROVIDERS = { plain, 'scram-sha-256': scram256, 'scram-sha-512': scram512 } as const;

function passwordLogin(sasl: PasswordSasl, logger: Logger): Exchanging {
  const { mechanism, username } = sasl;
  const password = secretSource({ what: 'the password for Kafka', secret: sasl.password, logger });
  const from =
    'file' in sasl.password ? `KAFKA_SASL_PASSWORD_FILE=${sasl.password.file}` : 'KAFKA_SASL_PASSWORD';
  const name = mechanism.toUpperCase();
  return {
    mechanism: name,
    async authenticate(exchange) {
      const secret = password();
      const provider = PASSWORD_PROVIDERS[mechanism]({ username, password: secret });
      try {
        await provider(exchange).authenticate();
      } catch (error) {
        // kafkajs gives a lost connection the same type as the broker's verdict.
        const { message } = error as Error;
        if (exchange.isLost()) throw new KafkaFault(null, message, { cause: error });
        throw new ConnectionRefusal(
          `${exchange.broker} refuses the user ${username} or the password (SASL_AUTHENTICATION_FAILED, ${name}): check ` +
            `KAFKA_SASL_USERNAME and ${from}${/^\s|\s$/.test(secret) ? ', which begins or ends with white space' : ''}`,
        );
      }
    },
  };
}

function oauthLogin(sasl: OauthSasl, logger: Logger): Exchanging {
  const { token, extensions = {} } = sasl;
  if ('file' in token) {
    const make = ([text = '']: readonly string[]) => tokenIn(text);
    const files = new FreshFiles({ what: 'the token for Kafka', files: [token.file], make, logger });
    const advice = `check the token in ${token.file}: has it expired, and is it for this cluster?`;
    const read = async () => unexpired(files.get(), token.file);
    return bearerLogin({ token: read, refused: () => {}, extensions, advice });
  }
  const tokens = new BearerTokens({ fetch: tokenFetcher(token, { logger }), now: Date.now, logger });
  const advice = 'check KAFKA_SASL_OAUTHBEARER_SCOPE, and what issuer and audience the broker expects';
  return bearerLogin({ token: () => tokens.get(), refused: () => tokens.refused(), extensions, advice });
}

/** Brokers accept a token for a while after its expiry, and then end each connection at once without a reason. */
function unexpired(token: string, file: string): string {
  const expiresAtMs = expiryOf(token);
  if (expiresAtMs === null || expiresAtMs > Date.now()) return token;
  const at = new Date(expiresAtMs).toISOString();
  throw new ConnectionRefusal(
    `the token in ${file} has expired at ${at}: see to it that the file is replaced before`,
  );
}

interface BearerUse {
  readonly token: () => Promise<string>;
  readonly refused: () => void;
  readonly extensions: Readonly<Record<string, string>>;
  readonly advice: string;
}

/** SASL/OAUTHBEARER (RFC 7628). kafkajs does not look at the answer, and takes a refused token for an accepted one. */
function bearerLogin({ token, refused, extensions, advice }: BearerUse): Exchanging {
  return {
    mechanism: 'OAUTHBEARER',
    async authenticate(exchange) {
      const pairs = [['auth', `Bearer ${await token()}`], ...Object.entries(extensions)];
      const said = await answerTo(
        exchange,
        `n,,\x01${pairs.map((pair) => `${pair.join('=')}\x01`).join('')}\x01`,
      );
      if (said === '') return;
      refused();
      // A client has to answer the reason by this one byte, so that the broker ends the exchange.
      await answerTo(exchange, '\x01').catch(() => '');
      throw refusal(exchange, said, advice);
    },
  };
  async function answerTo(exchange: SaslExchange, text: string): Promise<string> {
    try {
      return await exchange.saslAuthenticate({
        request: { encode: async () => new Encoder().writeBytes(Buffer.from(text)).buffer },
        // The bytes have their length in front, as in the protocol.
        response: { decode: async (raw) => raw.subarray(4).toString('utf8'), parse: async (data) => data },
      });
    } catch (error) {
      if (exchange.isLost()) throw error;
      refused();
      throw refusal(exchange, toKafkaFault(error).message, advice);
    }
  }
}

function refusal(exchange: SaslExchange, said: string, advice: string): ConnectionRefusal {
  const why = said.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 200);
  return new ConnectionRefusal(
    `${exchange.broker} refuses the token (SASL_AUTHENTICATION_FAILED, ${why}): ${advice}`,
  );
}
