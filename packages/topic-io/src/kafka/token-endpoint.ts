import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf } from '../error-message.ts';
import type { Logger } from '../logger.ts';
import { parseJson } from '../parse-json.ts';
import { type BearerToken, expiryOf, TOKEN } from './bearer-token.ts';
import { BOUNDS, type TokenEndpoint } from './config.ts';
import { ConnectionRefusal } from './connection-refusal.ts';
import { KafkaFault } from './faults.ts';
import { FreshFiles } from './fresh-files.ts';
import { secretSource } from './secrets.ts';
import { certificatesFault } from './tls-settings.ts';

const ANSWER_BYTES_MAX = 256 * 1024;
const RETRY_DELAY_MIN_MS = 200;
const WORDS_OF_OTHERS_MAX = 200;

const granted = z.object({
  access_token: z.string().regex(TOKEN),
  expires_in: z.coerce.number().positive().optional(),
});
/** The answer of a refusal (RFC 6749, 5.2). */
const refused = z.object({ error: z.string(), error_description: z.string().optional() });

/** Returns a function that gets a new token from the endpoint. It rejects with a KafkaFault. */
export function tokenFetcher(endpoint: TokenEndpoint, use: { logger: Logger }): () => Promise<BearerToken> {
  const secret = secretSource({
    what: 'the client secret for the token endpoint',
    secret: endpoint.clientSecret,
    logger: use.logger,
  });
  const ca = caSource(endpoint.caFile, use.logger);
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(endpoint.scope === undefined ? {} : { scope: endpoint.scope }),
  }).toString();
  return async () => {
    let delayMs = RETRY_DELAY_MIN_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        const askedMs = Date.now();
        const answer = await post({ endpoint, secret: secret(), form, ca: ca() });
        return tokenOf(answer, { endpoint, askedMs });
      } catch (error) {
        const fault = error instanceof KafkaFault ? error : unanswered(endpoint, error);
        if (fault instanceof ConnectionRefusal || tries === BOUNDS.tokenTries) throw fault;
      }
      await delay(delayMs, undefined, { ref: false });
      delayMs *= 2;
    }
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function caSource(caFile: string | undefined, logger: Logger): () => string | undefined {
  if (caFile === undefined) return () => undefined;
  const files = new FreshFiles({
    what: 'the authority of the token endpoint',
    files: [caFile],
    logger,
    make([text = '']) {
      const fault = certificatesFault('KAFKA_SASL_OAUTHBEARER_CA_FILE', text);
      if (fault !== null) throw new Error(fault);
      return text;
    },
  });
  return () => files.get();
}

function post(use: {
  endpoint: TokenEndpoint;
  secret: string;
  form: string;
  ca: string | undefined;
}): Promise<Answer> {
  const { endpoint, secret, form, ca } = use;
  const url = new URL(endpoint.url);
  // Both parts are encoded as in a form (RFC 6749, 2.3.1).
  const credentials = [endpoint.clientId, secret].map(formEncoded).join(':');
  const options = {
    method: 'POST',
    signal: AbortSignal.timeout(BOUNDS.tokenRequestMs),
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(form),
      accept: 'application/json',
    },
  };
  return new Promise((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage) => textOf(answer).then(resolve, reject);
    const request =
      url.protocol === 'https:'
        ? requestTls(url, { ...options, ca }, onAnswer)
        : requestPlain(url, options, onAnswer);
    request.once('error', reject);
    request.end(form);
  });
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

async function textOf(answer: IncomingMessage): Promise<Answer> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer as AsyncIterable<string>) {
    text += chunk;
    if (text.length > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
  }
  return { status: answer.statusCode ?? 0, text };
}

function tokenOf(answer: Answer, use: { endpoint: TokenEndpoint; askedMs: number }): BearerToken {
  const { status, text } = answer;
  const where = nameOf(use.endpoint);
  const body = parseJson(text);
  if (status === 429 || status >= 500) throw new KafkaFault(null, `${where} answers with status ${status}`);
  if (status !== 200) {
    const said = refused.safeParse(body);
    if (!said.success)
      throw new ConnectionRefusal(`${where} answers with status ${status}: ${adviceOf(null)}`);
    const { error, error_description } = said.data;
    const why = error_description === undefined ? '' : ` (${shortened(error_description)})`;
    throw new ConnectionRefusal(`${where} gives no token, ${shortened(error)}${why}: ${adviceOf(error)}`);
  }
  const read = granted.safeParse(body);
  if (!read.success) throw new ConnectionRefusal(`${where} answers without a usable access_token`);
  const { access_token: token, expires_in } = read.data;
  const expiresAtMs = expires_in === undefined ? expiryOf(token) : use.askedMs + expires_in * 1_000;
  return { token, expiresAtMs };
}

function adviceOf(error: string | null): string {
  switch (error) {
    case 'invalid_client':
      return 'check KAFKA_SASL_OAUTHBEARER_CLIENT_ID and KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET';
    case 'invalid_scope':
      return 'check KAFKA_SASL_OAUTHBEARER_SCOPE';
    case 'unauthorized_client':
    case 'unsupported_grant_type':
      return 'this client must be allowed the grant client_credentials';
    default:
      return 'check KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL and what belongs to it';
  }
}

function unanswered(endpoint: TokenEndpoint, error: unknown): KafkaFault {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ABORT_ERR' ? `no answer within ${BOUNDS.tokenRequestMs} ms` : messageOf(error);
  const isCertificate = /CERT|SIGNATURE/.test(code ?? '');
  const where = nameOf(endpoint);
  return isCertificate
    ? new ConnectionRefusal(
        `the certificate of ${where} is not accepted (${reason}): set KAFKA_SASL_OAUTHBEARER_CA_FILE to the file with ` +
          'the certificate of its authority',
      )
    : new KafkaFault(null, `${where} does not answer: ${reason}`);
}

/** Without what a URL may hold beside the place: a name, a password, a query. */
function nameOf({ url }: TokenEndpoint): string {
  const { origin, pathname } = new URL(url);
  return `the token endpoint ${origin}${pathname}`;
}

function shortened(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, WORDS_OF_OTHERS_MAX);
}
