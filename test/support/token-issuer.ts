import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { MadeCertificate } from './made-certificates.ts';

export const ISSUER = 'https://issuer.test';
export const AUDIENCE = 'runlog-kafka';

/** A token endpoint of a test's own, and the keys by which a broker checks its tokens. */
export interface TokenIssuer extends AsyncDisposable {
  /** Over TLS, with the certificate that was given. */
  readonly endpointUrl: string;
  readonly jwksUrl: string;
  /** The bodies that were posted, in their order. */
  readonly asked: readonly { readonly authorization: string; readonly form: URLSearchParams }[];
  /** What the endpoint does with the next requests. */
  answerBy(answer: IssuerAnswer): void;
  token(use: { lifeS: number; audience?: string }): string;
}

export interface IssuerAnswer {
  readonly status: number;
  readonly lifeS?: number;
  readonly error?: string;
}

export async function startTokenIssuer(use: {
  certificate: MadeCertificate;
  clientId: string;
  clientSecret: string;
}): Promise<TokenIssuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
  const asked: { authorization: string; form: URLSearchParams }[] = [];
  let answer: IssuerAnswer = { status: 200, lifeS: 3_600 };

  const token: TokenIssuer['token'] = ({ lifeS, audience = AUDIENCE }) => {
    const nowS = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: ISSUER,
      aud: audience,
      sub: 'runlog',
      scope: 'kafka',
      iat: nowS,
      exp: nowS + lifeS,
      jti: randomUUID(),
    };
    const signed = [{ alg: 'RS256', kid: 'one', typ: 'JWT' }, claims].map(encoded).join('.');
    return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`;
  };
  const expected = `Basic ${Buffer.from(`${use.clientId}:${use.clientSecret}`).toString('base64')}`;
  const grant: RequestListener = async (request, response) => {
    const { authorization = '' } = request.headers;
    asked.push({ authorization, form: new URLSearchParams(await textOf(request)) });
    const { lifeS = 3_600, ...given } = answer;
    const isKnown = authorization === expected;
    const status = isKnown ? given.status : 401;
    const error = isKnown ? given.error : 'invalid_client';
    const body =
      status === 200
        ? { access_token: token({ lifeS }), token_type: 'Bearer', expires_in: lifeS }
        : { error, error_description: 'said by the test' };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const tls = {
    cert: readFileSync(use.certificate.certFile),
    key: readFileSync(use.certificate.keyFile),
  };
  const endpoint = createTlsServer(tls, grant).listen(0, '127.0.0.1');
  const keys = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }));
  }).listen(0, '127.0.0.1');
  await Promise.all([once(endpoint, 'listening'), once(keys, 'listening')]);
  return {
    endpointUrl: `https://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`,
    jwksUrl: `http://127.0.0.1:${(keys.address() as AddressInfo).port}/jwks`,
    asked,
    answerBy(next) {
      answer = next;
    },
    token,
    async [Symbol.asyncDispose]() {
      for (const server of [endpoint, keys]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
