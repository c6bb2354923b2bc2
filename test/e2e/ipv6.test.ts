import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { runCli } from '../support/cli-process.ts';
import { type MadeAuthority, makeAuthority } from '../support/made-certificates.ts';

/** The loopback interface of this machine must have ::1. */
describe('a broker with an IPv6 address, which it also gives to its clients', () => {
  let folder: string;
  let authority: MadeAuthority;
  let cluster: MavenBrokers;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runlog-ipv6-'));
    authority = await makeAuthority(folder, 'ca');
    const { storeFile } = await authority.issue({ name: 'broker', names: ['IP:::1'] });
    cluster = await startCluster({
      count: 1,
      listeners: [
        { name: 'SIX', protocol: 'PLAINTEXT', host: '::1' },
        { name: 'SIXTLS', protocol: 'SSL', host: '::1' },
      ],
      properties: {
        'listener.name.sixtls.ssl.keystore.type': 'PEM',
        'listener.name.sixtls.ssl.keystore.location': storeFile,
      },
    });
  });

  afterAll(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(['SIX', 'SIXTLS'])('is reached at [::1]:port, listener %s', async (listener) => {
    const port = cluster.listenerPorts[0]![listener];
    const prefix = `${listener.toLowerCase()}.`;
    const ran = await runCli(['topics', '--create'], {
      ...{ KAFKA_BROKERS: `[::1]:${port}`, RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' },
      ...(listener === 'SIXTLS' && { KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: authority.certFile }),
    });
    expect(ran, ran.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${prefix}run-events`),
    });
    expect(ran.stderr).toBe(`log: brokers [::1]:${port}, topic ${prefix}run-events\n`);
  });

  it('is refused by an exact sentence if the brackets are missing', async () => {
    const bare = await runCli(['topics'], { KAFKA_BROKERS: '::1:9092' });
    expect(bare.code).toBe(2);
    expect(bare.stderr).toContain(
      'KAFKA_BROKERS has "::1:9092": an IPv6 address goes in brackets, such as [::1]:9092',
    );
  });
});
