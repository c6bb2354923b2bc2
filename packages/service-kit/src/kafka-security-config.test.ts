import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSecret } from '@runlog/topic-io/kafka/secrets';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { makeAuthority } from '../../../test/support/made-certificates.ts';
import { kafkaSecurityEnvironment, kafkaSecurityFaults, kafkaSecurityOf } from './kafka-security-config.ts';
import { readConfig } from './read-config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlog-secrets-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const read = (env: Record<string, string>) => readConfig(z.object(kafkaSecurityEnvironment), env);
const faultsOf = (env: Record<string, string>) => kafkaSecurityFaults(read(env));

describe('how connections to Kafka are protected', () => {
  it('lists every fault, also those that only the files show', () => {
    const missing = join(folder, 'missing');
    expect(
      faultsOf({
        KAFKA_SSL: 'true',
        KAFKA_SSL_CA_FILE: file('ca', 'no certificate'),
        KAFKA_SSL_CERT_FILE: missing,
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_PASSWORD: 'one',
        KAFKA_SASL_PASSWORD_FILE: missing,
      }),
    ).toEqual([
      'KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE go together: set both',
      expect.stringMatching(/^KAFKA_SSL_CERT_FILE=.*missing cannot be used: ENOENT/),
      'KAFKA_SSL_CA_FILE does not hold whole certificates in PEM',
      'KAFKA_SASL_MECHANISM=plain needs KAFKA_SASL_USERNAME',
      'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set: set one of them',
    ]);
  });

  it.each([
    [{ KAFKA_SSL_CA_FILE: 'x' }, 'KAFKA_SSL_CA_FILE set without TLS: set KAFKA_SSL=true too'],
    [{ KAFKA_SASL_PASSWORD: 'x' }, 'KAFKA_SASL_PASSWORD set without a mechanism'],
    [{ KAFKA_SASL_MECHANISM: 'oauthbearer' }, 'needs either KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL or'],
    [{ KAFKA_SASL_MECHANISM: 'aws-msk-iam' }, 'needs KAFKA_SASL_AWS_REGION, such as eu-west-1'],
    [
      { KAFKA_SASL_MECHANISM: 'scram-sha-256', KAFKA_SASL_USERNAME: 'ada' },
      'KAFKA_SASL_MECHANISM=scram-sha-256 needs KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE',
    ],
  ])('%j is refused', (env, fault) => {
    expect(faultsOf(env)).toEqual([expect.stringContaining(fault)]);
  });

  it('an empty file is no secret, and no message holds one', () => {
    const env = {
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'ada',
      KAFKA_SASL_PASSWORD_FILE: file('empty', '\n'),
    };
    expect(faultsOf(env)).toEqual([expect.stringMatching(/^KAFKA_SASL_PASSWORD_FILE=.* the file is empty$/)]);
    expect(() => read({ KAFKA_SASL_MECHANISM: 'hunter2' })).toThrow('must be plain, scram-sha-256');
  });

  it.each([
    ['a byte order mark and ends of lines', Buffer.from('\ufeffhunter2\r\n\n'), []],
    ['only blanks', Buffer.from(' \n'), [expect.stringContaining('the file is empty')]],
    ['UTF-16', Buffer.from('\ufeffhunter2', 'utf16le'), [expect.stringContaining('not text in UTF-8')]],
  ])('reads a password in a file with %s', (_what, bytes, faults) => {
    const path = file('password', bytes);
    const env = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'ada', KAFKA_SASL_PASSWORD_FILE: path };
    expect(faultsOf(env)).toEqual(faults);
    if (faults.length === 0) expect(readSecret({ file: path })).toBe('hunter2');
  });

  it.each([
    ['SCRAM-SHA-512', 'scram-sha-512'],
    ['Plain', 'plain'],
    ['AWS_MSK_IAM', 'aws-msk-iam'],
  ])('takes the mechanism %s for %s', (written, mechanism) => {
    expect(read({ KAFKA_SASL_MECHANISM: written }).KAFKA_SASL_MECHANISM).toBe(mechanism);
  });

  it('names what a file holds instead', async () => {
    const { certFile, keyFile } = await makeAuthority(folder, 'own');
    const of = (env: Record<string, string>) => faultsOf({ KAFKA_SSL: 'true', ...env });
    expect(of({ KAFKA_SSL_CERT_FILE: keyFile, KAFKA_SSL_KEY_FILE: certFile })).toEqual([
      'KAFKA_SSL_CERT_FILE holds a key, and KAFKA_SSL_KEY_FILE a certificate: exchange them',
    ]);
    expect(of({ KAFKA_SSL_CERT_FILE: certFile, KAFKA_SSL_KEY_FILE: certFile })).toEqual([
      'KAFKA_SSL_KEY_FILE does not hold a whole key in PEM, but a certificate',
    ]);
    expect(of({ KAFKA_SSL_CA_FILE: keyFile })).toEqual([
      'KAFKA_SSL_CA_FILE does not hold whole certificates in PEM, but a key',
    ]);
    const der = file('der', new X509Certificate(readFileSync(certFile)).raw);
    expect(of({ KAFKA_SSL_CA_FILE: der })).toEqual([
      expect.stringMatching(/der cannot be used: .* UTF-8, and so not PEM: "openssl x509 -inform der"/),
    ]);
  });

  it('KAFKA_SSL=true alone trusts the authorities of the system', () => {
    expect(kafkaSecurityOf(read({ KAFKA_SSL: 'true' }))).toEqual({ ssl: {} });
    expect(kafkaSecurityOf(read({}))).toEqual({ ssl: false });
  });

  it('a client of a token endpoint, with extensions', () => {
    const env = {
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'oauthbearer',
      KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: 'https://login.example/token',
      KAFKA_SASL_OAUTHBEARER_CLIENT_ID: 'runlog',
      KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE: file('secret', 'client secret\n'),
      KAFKA_SASL_OAUTHBEARER_EXTENSIONS: 'logicalCluster=lkc-1,identityPoolId=pool-1',
    };
    expect(faultsOf(env)).toEqual([]);
    expect(kafkaSecurityOf(read(env)).sasl).toEqual({
      mechanism: 'oauthbearer',
      token: {
        url: 'https://login.example/token',
        clientId: 'runlog',
        clientSecret: { file: join(folder, 'secret') },
      },
      extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool-1' },
    });
    expect(() => read({ KAFKA_SASL_OAUTHBEARER_EXTENSIONS: 'auth=x' })).toThrow('must be name=value');
  });
});
