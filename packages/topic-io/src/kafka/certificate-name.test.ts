import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { certificateName } from './certificate-name.ts';
import { faultAbout, KAFKA } from './faults.ts';
import { remedyFor } from './remedies.ts';
import { identityOf } from './session.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlog-names-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function certificateOf(subject: string): { certFile: string; keyFile: string } {
  const files = { certFile: join(folder, 'own.crt'), keyFile: join(folder, 'own.key') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', files.keyFile];
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', '-subj', subject, '-out', files.certFile], {
    stdio: 'ignore',
  });
  return files;
}

it.each([
  ['/CN=ingest', 'CN=ingest'],
  ['/C=DE/O=Acme Ltd/CN=ingest', 'CN=ingest,O=Acme Ltd,C=DE'],
  ['/CN=a,b', null],
  ['/emailAddress=ada@acme.example/CN=ingest', null],
])('%s is %s to a broker', (subject, name) => {
  expect(certificateName(certificateOf(subject).certFile)).toBe(name);
});

it('a denial of a process with a certificate names its principal', () => {
  const client = certificateOf('/C=DE/O=Acme Ltd/CN=ingest');
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const identity = identityOf({ brokers: ['kafka:9093'], clientId: 'by-hand', logger, ssl: { client } });
  const fault = faultAbout(KAFKA.topicAuthorizationFailed, {
    ...({ resource: 'topic', name: 'run-events', operation: 'Write' } as const),
  });
  expect(remedyFor(fault, identity)).toBe(
    'User:CN=ingest,O=Acme Ltd,C=DE (if ssl.principal.mapping.rules of the brokers make no other name of it) has no right to ' +
      'Write on topic run-events; an administrator gives it with: kafka-acls.sh --bootstrap-server kafka:9093 ' +
      "--command-config admin.properties --add --allow-principal 'User:CN=ingest,O=Acme Ltd,C=DE' --operation Write " +
      '--topic run-events',
  );
});
