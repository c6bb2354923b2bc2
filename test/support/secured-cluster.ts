import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster } from './broker.ts';
import type { MavenBrokers } from './broker-maven.ts';
import { type MadeAuthority, type MadeCertificate, makeAuthority } from './made-certificates.ts';
import { AUDIENCE, ISSUER, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

/** The only name in the certificate of the listener NAMED. */
export const BROKER_NAME = 'broker.test';
export const USER = 'ada';
/** Whose password a test replaces. */
export const ROTATED_USER = 'eve';
export const PASSWORD = 'plain-password=1, two';
export const CLIENT_ID = 'runlog';
export const CLIENT_SECRET = 'client-secret';
/** Far below what kafkajs can renew in time. */
export const SESSION_MS = 4_000;

const DAY_MS = 24 * 3_600_000;

const SASL = 'listener.name.sasl';
const LOGIN = 'org.apache.kafka.common.security';

/** One real broker with a listener for each way to protect connections, and a token endpoint beside it. */
export interface SecuredCluster extends AsyncDisposable {
  readonly cluster: MavenBrokers;
  readonly folder: string;
  readonly authority: MadeAuthority;
  readonly otherAuthority: MadeAuthority;
  readonly client: MadeCertificate;
  readonly issuer: TokenIssuer;
  /** Addresses: TLS, TLS with client certificates, with another name, past and before its time, SASL over TLS. */
  readonly at: Readonly<Record<'tls' | 'mtls' | 'named' | 'expired' | 'early' | 'sasl' | 'msk', string>>;
  /** The open listener. */
  readonly open: string;
}

export async function startSecuredCluster(use: { mskProxyPort: number }): Promise<SecuredCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-secured-'));
  const authority = await makeAuthority(folder, 'cluster-ca');
  const otherAuthority = await makeAuthority(folder, 'other-ca');
  const names = [`DNS:${BROKER_NAME}`, 'DNS:localhost', 'IP:127.0.0.1'];
  const broker = await authority.issue({ name: 'broker', names });
  const named = await authority.issue({ name: 'named', names: [`DNS:${BROKER_NAME}`] });
  const now = Date.now();
  const expired = await authority.issue({
    ...{ name: 'expired', names },
    valid: { from: new Date(now - 3 * DAY_MS), to: new Date(now - DAY_MS) },
  });
  const early = await authority.issue({
    ...{ name: 'early', names },
    valid: { from: new Date(now + DAY_MS), to: new Date(now + 3 * DAY_MS) },
  });
  const client = await authority.issue({ name: 'client' });
  const issuer = await startTokenIssuer({
    ...{ certificate: broker, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
  });
  const trusted = (listener: string, { storeFile } = broker) => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: storeFile,
    [`listener.name.${listener}.ssl.truststore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.truststore.location`]: authority.certFile,
  });
  const cluster = await startCluster({
    count: 1,
    listeners: [
      { name: 'TLS', protocol: 'SSL' },
      { name: 'MTLS', protocol: 'SSL' },
      { name: 'NAMED', protocol: 'SSL' },
      { name: 'EXPIRED', protocol: 'SSL' },
      { name: 'EARLY', protocol: 'SSL' },
      { name: 'SASL', protocol: 'SASL_SSL' },
      { name: 'MSK', protocol: 'PLAINTEXT', advertisedPorts: [use.mskProxyPort] },
    ],
    properties: {
      ...trusted('tls'),
      ...trusted('mtls'),
      ...trusted('named', named),
      ...trusted('expired', expired),
      ...trusted('early', early),
      ...trusted('sasl'),
      'listener.name.mtls.ssl.client.auth': 'required',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      [`${SASL}.plain.sasl.jaas.config`]: `${LOGIN}.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`,
      [`${SASL}.scram-sha-256.sasl.jaas.config`]: `${LOGIN}.scram.ScramLoginModule required;`,
      [`${SASL}.scram-sha-512.sasl.jaas.config`]: `${LOGIN}.scram.ScramLoginModule required;`,
      [`${SASL}.oauthbearer.sasl.jaas.config`]: `${LOGIN}.oauthbearer.OAuthBearerLoginModule required;`,
      [`${SASL}.oauthbearer.sasl.server.callback.handler.class`]: `${LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
      [`${SASL}.sasl.oauthbearer.jwks.endpoint.url`]: issuer.jwksUrl,
      [`${SASL}.sasl.oauthbearer.expected.issuer`]: ISSUER,
      [`${SASL}.sasl.oauthbearer.expected.audience`]: AUDIENCE,
      [`${SASL}.connections.max.reauth.ms`]: SESSION_MS,
    },
    formatArguments: [
      ...['--add-scram', `SCRAM-SHA-256=[name=${USER},password=${SCRAM_PASSWORD}]`],
      ...['--add-scram', `SCRAM-SHA-512=[name=${USER},password=${SCRAM_PASSWORD}]`],
      ...['--add-scram', `SCRAM-SHA-512=[name=${ROTATED_USER},password=${SCRAM_PASSWORD}]`],
    ],
    jvmFlags: [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${issuer.jwksUrl}`],
  });
  const ports = cluster.listenerPorts[0]!;
  const at = (name: string) => `127.0.0.1:${ports[name]}`;
  return {
    ...{ cluster, folder, authority, otherAuthority, client, issuer },
    at: {
      ...{ tls: at('TLS'), mtls: at('MTLS'), named: at('NAMED'), sasl: at('SASL'), msk: at('MSK') },
      ...{ expired: at('EXPIRED'), early: at('EARLY') },
    },
    open: cluster.brokers[0]!,
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await issuer[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The tool that formats the data folder splits its arguments at commas. */
export const SCRAM_PASSWORD = 'scram-password=1';
