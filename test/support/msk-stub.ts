import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import type { MadeCertificate } from './made-certificates.ts';

/** The AWS credentials that the stub accepts. */
export const AWS = { accessKeyId: 'AKIATEST', secretAccessKey: 'aws-secret', region: 'eu-west-1' } as const;
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;

/**
 * Stands for the side of Amazon MSK that checks IAM: it ends TLS, answers SASL itself and passes everything else on to a
 * real broker's open listener. A token is accepted if it is a URL that is signed with the credentials above, by Amazon's
 * published way of signing (version 4). Nothing of it has been tried with Amazon's own brokers.
 */
export interface MskStub extends AsyncDisposable {
  readonly port: number;
  /** The URLs of the accepted tokens. */
  readonly accepted: readonly URL[];
}

export async function startMskStub(use: {
  port: number;
  target: string;
  certificate: MadeCertificate;
  sessionMs: number;
}): Promise<MskStub> {
  const accepted: URL[] = [];
  const open = new Set<Socket>();
  const tls = { cert: readFileSync(use.certificate.certFile), key: readFileSync(use.certificate.keyFile) };
  const server: Server = createServer(tls, (client) => {
    const [host, port] = use.target.split(':') as [string, string];
    const broker = connect({ host, port: Number(port) });
    for (const socket of [client, broker]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => open.delete(socket));
    }
    client.once('close', () => broker.destroy());
    broker.once('close', () => client.destroy());
    broker.pipe(client);
    let held = Buffer.alloc(0);
    client.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0);
        const frame = held.subarray(0, end);
        held = held.subarray(end);
        const answer = saslAnswer(frame, { accepted, sessionMs: use.sessionMs });
        if (answer === null) broker.write(frame);
        else client.write(answer);
      }
    });
  });
  server.listen(use.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: use.port,
    accepted,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function saslAnswer(frame: Buffer, use: { accepted: URL[]; sessionMs: number }): Buffer | null {
  const apiKey = frame.readInt16BE(4);
  const correlationId = frame.subarray(8, 12);
  const body = frame.subarray(14 + Math.max(frame.readInt16BE(12), 0));
  switch (apiKey) {
    case SASL_HANDSHAKE: {
      const name = Buffer.from('OAUTHBEARER');
      return framed([correlationId, int16(0), int32(1), int16(name.length), name]);
    }
    case SASL_AUTHENTICATE: {
      const url = signedUrl(body.subarray(4).toString());
      if (url === null) {
        const message = Buffer.from('Access denied');
        return framed([correlationId, int16(58), int16(message.length), message, int32(0), int64(0)]);
      }
      use.accepted.push(url);
      return framed([correlationId, int16(0), int16(-1), int32(0), int64(use.sessionMs)]);
    }
    default:
      return null;
  }
}

/** Returns the URL in a client's first message if its signature is right. */
function signedUrl(message: string): URL | null {
  const token = /^Bearer ([\w-]+)$/.exec(message.split('\x01')[1]?.replace(/^auth=/, '') ?? '')?.[1];
  if (token === undefined) return null;
  const url = new URL(Buffer.from(token, 'base64url').toString());
  const signature = url.searchParams.get('X-Amz-Signature');
  return signature === signatureOf(url) ? url : null;
}

function signatureOf(url: URL): string {
  // The signer adds the agent when the rest is signed.
  const signed = [...url.searchParams].filter(([name]) => !['X-Amz-Signature', 'User-Agent'].includes(name));
  const query = signed
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&');
  const canonical = ['GET', '/', query, `host:${url.host}`, '', 'host', sha256('')].join('\n');
  const time = url.searchParams.get('X-Amz-Date') ?? '';
  const scope = [time.slice(0, 8), AWS.region, 'kafka-cluster', 'aws4_request'];
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${AWS.secretAccessKey}`,
  );
  return createHmac('sha256', key).update(text).digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function framed(parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length), body]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
