import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rightsOf } from '@runlog/schema/log/rights';
import { eventTopicSettings, topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Command } from '../../packages/cli/src/command.ts';
import { command as doctorCommand } from '../../packages/cli/src/commands/doctor.ts';
import { command as topicsCommand } from '../../packages/cli/src/commands/topics.ts';
import { type Finding, reportSchema } from '../../packages/cli/src/doctor/finding.ts';
import { runCli, startCli } from '../support/cli-process.ts';
import { freePort } from '../support/free-ports.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import type { KafkaRequest } from '../support/kafka-frame.ts';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { typeCommand } from '../support/kafka-tool.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { alterTopic } from '../support/topic-settings.ts';

const INIT_PRODUCER_ID = 22;
/** Runs a command in this process: to start one anew each time would cost more than all that it does. */
async function inProcess(command: Command, args: readonly string[], env: Record<string, string>) {
  const out: string[] = [];
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      if (name === 'stdout') out.push(String(text));
      return true;
    }),
  );
  try {
    const code = await command.run(args, env);
    return { code, stdout: out.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function doctor(env: Record<string, string>, ...args: string[]) {
  const { code, stdout } = await inProcess(doctorCommand, ['--json', ...args], env);
  return { code, ...judged(stdout) };
}

function judged(stdout: string) {
  const report = reportSchema.parse(JSON.parse(stdout));
  const of = (status: Finding['status']) => report.checks.filter((finding) => finding.status === status);
  return { report, stdout, failed: of('failed'), warnings: of('warning'), skipped: of('skipped') };
}

// Each call listens to signals until its process ends.
process.setMaxListeners(0);

describe('runlog doctor on Kafka', () => {
  let folder: string;
  let broker: GuardedBroker;
  let proxyPort: number;
  let proxy: KafkaProxy;
  let io: TopicIo;
  /** If it is set, the broker's next answer about a producer id is kept back, and this is called instead. */
  let instead: (() => void) | null = null;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-'));
    proxyPort = await freePort();
    broker = await GuardedBroker.start({
      users: ['admin', 'poor'],
      listeners: [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertisedPorts: [proxyPort] }],
      properties: { 'super.users': 'User:ANONYMOUS;User:admin' },
    });
    proxy = await KafkaProxy.start({
      port: proxyPort,
      targetPort: broker.cluster.listenerPorts[0]!.PROXIED!,
      hooks: { onAnswer: keepBack },
    });
    io = await openKafka({ brokers: broker.cluster.brokers, clientId: 'by-hand', logger: silentLogger });
    const login =
      'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=' +
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-password";\n';
    await writeFile(join(folder, 'admin.properties'), login);
  });
  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  function keepBack({ apiKey }: KafkaRequest): 'pass' | 'withhold' {
    if (instead === null || apiKey !== INIT_PRODUCER_ID) return 'pass';
    instead();
    // A second signal would end the process at once.
    instead = null;
    return 'withhold';
  }

  const openEnvironment = (prefix: string) => ({
    KAFKA_BROKERS: broker.cluster.brokers.join(','),
    RUNLOG_TOPIC_PREFIX: prefix,
  });
  const typed = (command: string) => typeCommand(command, { classpath: broker.cluster.classpath, folder });

  async function makeTopics(prefix: string): Promise<Record<string, string>> {
    const env = { ...openEnvironment(prefix), RUNLOG_PARTITIONS: '2' };
    expect((await inProcess(topicsCommand, ['--create'], env)).code).toBe(0);
    return env;
  }

  async function leftOver(): Promise<string[]> {
    const kafka = new Kafka({ brokers: [...broker.cluster.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const names = await admin.listTopics();
    await admin.disconnect();
    return names.filter((name) => name.includes('runlog-doctor-'));
  }

  it('has nothing to say against a healthy log, and leaves nothing behind', async () => {
    const env = await makeTopics('well.');
    const { code, report, failed, warnings, skipped } = await doctor(env);
    expect([failed, warnings, skipped]).toEqual([[], [], []]);
    expect([code, report.ok]).toEqual([0, true]);
    expect(new Set(report.checks.map(({ group }) => group)).size).toBe(10);
    expect(report.checks.filter(({ group }) => group === 'probe').map(({ name }) => name)).toEqual([
      'create',
      'write',
      'transact',
      'read',
      'delete',
    ]);
    expect(await leftOver()).toEqual([]);
    const text = await runCli(['doctor', '--no-probe'], env);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^configuration\n {2}ok {4}log: brokers .*, topic well.run-events\n/);
    expect(text.stdout).toMatch(
      /\nprobe\n {2}skip {2}probe: because --no-probe was given\nOK: .* failed, 2 skipped\n$/,
    );
  });

  it('says that there are no topics yet, and names those of which some are missing', async () => {
    const none = await doctor(openEnvironment('none.'));
    expect(none.code).toBe(0);
    expect(none.warnings).toMatchObject([{ group: 'topics', remedy: ['runlog topics --create'] }]);
    const env = await makeTopics('half.');
    await io.deleteTopic('half.run-snapshots');
    const half = await doctor(env, '--no-probe');
    expect(half.code).toBe(1);
    expect(half.failed).toMatchObject([{ name: 'half.run-snapshots', remedy: ['runlog rebuild'] }]);
  });

  it('names each setting that differs, and is content when its commands were typed', async () => {
    const env = await makeTopics('set.');
    await alterTopic(broker.cluster.brokers, 'set.run-events', {
      ...{ ...eventTopicSettings(720).settings, 'min.insync.replicas': '1' },
      ...{ 'cleanup.policy': 'compact,delete', 'max.message.bytes': '4000', 'retention.ms': '9999999999' },
    });
    const { code, failed, warnings } = await doctor(env, '--no-probe');
    expect(code).toBe(1);
    expect(failed.map(({ details }) => details)).toMatchObject([
      { setting: 'cleanup.policy', found: 'compact,delete', wanted: 'delete', grave: true },
      { setting: 'max.message.bytes', found: '4000', wanted: '1048576', grave: true },
    ]);
    expect(failed[1]!.message).toContain('no service starts');
    expect(warnings).toMatchObject([{ details: { setting: 'retention.ms', grave: false } }]);
    await Promise.all([...failed, ...warnings].map(({ remedy }) => typed(remedy![0]!)));
    const after = await doctor(env, '--no-probe');
    expect([after.code, after.failed, after.warnings]).toEqual([0, [], []]);
  });

  it('names partition counts that contradict each other, and an events topic that was made anew', async () => {
    const env = await makeTopics('parts.');
    await io.deleteTopic('parts.run-events');
    await io.ensureTopics([
      { name: 'parts.run-events', partitions: 3, cleanupPolicy: 'delete', settings: {} },
    ]);
    const { failed } = await doctor(env, '--no-probe');
    const [id, partitions] = failed;
    expect([id?.name, partitions?.name]).toEqual(['parts.run-events: id', 'parts.run-events: partitions']);
    expect(partitions?.message).toContain('has 3 partitions, but run-meta says 2');
  });

  it('names each right that is missing, with the command that gives it, and skips what is not allowed', async () => {
    const env = { ...(await makeTopics('acl.')), ...broker.environment('poor') };
    const names = topicNames('acl.');
    const held = rightsOf('aggregator', names).filter(
      ({ resource, name }) => resource === 'topic' && name !== names.rejected,
    );
    await broker.grant(held.map((right) => ({ user: 'poor', right })));
    const { code, failed, skipped } = await doctor(env, '--role', 'aggregator');
    expect(code).toBe(1);
    expect(failed.map(({ group, name }) => `${group} ${name}`)).toEqual([
      `permissions topic ${names.rejected}`,
      `permissions group ${names.group}`,
      `permissions transactional id ${names.snapshots}…`,
    ]);
    const probe = skipped.filter(({ group }) => group === 'probe');
    expect(probe).toMatchObject([{ message: expect.stringMatching(/^because/) }]);
    const commands = [...failed, ...probe].flatMap(({ remedy }) => remedy!);
    await Promise.all(commands.map(typed));
    await expect
      .poll(async () => {
        const now = await doctor(env, '--role', 'aggregator');
        return [now.code, now.skipped];
      })
      .toEqual([0, []]);
    expect(await leftOver()).toEqual([]);
  });

  it('goes to each address by itself, and carries on with those that answer', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const hole = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const dead = `127.0.0.1:${await freePort()}`;
    const [alive] = broker.cluster.brokers;
    try {
      const [some, alone] = await Promise.all([
        runCli(['doctor', '--json'], { KAFKA_BROKERS: [dead, hole, alive].join(',') }),
        runCli(['doctor', '--json'], { KAFKA_BROKERS: hole }),
      ]);
      const { failed, report } = judged(some.stdout);
      expect([some.code, some.stderr]).toEqual([1, '']);
      expect(failed.map(({ name }) => name)).toEqual([dead, hole]);
      expect(failed[0]!.message).toContain('nothing listens there');
      expect(failed[1]!.message).toContain('does not answer');
      const read = { group: 'probe', name: 'read', status: 'ok' };
      expect(report.checks).toContainEqual(expect.objectContaining(read));
      expect(judged(alone.stdout).skipped.map(({ group }) => group)).toContain('probe');
    } finally {
      silent.close();
    }
  });

  it('says that a password is wrong, and which variables nothing reads', async () => {
    const env = { ...broker.environment('poor'), KAFKA_SASL_PASSWORD: 'secret-of-poor' };
    const { code, failed, stdout } = await doctor(env);
    expect(code).toBe(1);
    expect(failed).toMatchObject([
      { group: 'reachability', message: expect.stringContaining('KAFKA_SASL_PASSWORD') },
    ]);
    expect(stdout).not.toContain('secret-of-poor');
    const { KAFKA_BROKERS, ...misspelt } = { ...openEnvironment(''), KAFKA_BROKER: broker.brokers[0]! };
    const misread = await doctor({ ...misspelt, RUNLOG_DATA_DIR: join(folder, 'nowhere') });
    expect(misread.code).toBe(2);
    expect(misread.failed).toMatchObject([
      { name: 'KAFKA_BROKER', message: expect.stringContaining('KAFKA_BROKERS') },
    ]);
    expect((await runCli(['doctor', '--role', 'nobody'])).code).toBe(2);
    expect((await doctor({ KAFKA_BROKERS: 'localhost' })).code).toBe(2);
  });

  it('names a broker that is advertised where nobody can reach it', async () => {
    const { brokers, listenerPorts } = broker.cluster;
    await proxy[Symbol.asyncDispose]();
    const given = `127.0.0.1:${listenerPorts[0]!.PROXIED}`;
    const { failed, skipped } = await doctor({ KAFKA_BROKERS: given });
    expect(skipped.map(({ group }) => group)).toContain('topics');
    expect(failed.find(({ group }) => group === 'reachability')).toMatchObject({
      name: `127.0.0.1:${proxyPort}`,
      message: expect.stringContaining('advertised.listeners of broker 1'),
    });
    expect(brokers).not.toContain(given);
    proxy = await KafkaProxy.start({
      port: proxyPort,
      targetPort: listenerPorts[0]!.PROXIED!,
      hooks: { onAnswer: keepBack },
    });
  });

  it('deletes its topic when a signal ends it', async () => {
    const started = startCli(['doctor'], { KAFKA_BROKERS: `127.0.0.1:${proxyPort}` });
    // By now the topic is there, and the next step waits.
    instead = () => started.process.kill('SIGINT');
    expect(await started.ended).toBe(1);
    expect(await leftOver()).toEqual([]);
    expect(started.stdout()).toMatch(/ok {4}create: /);
    expect(started.stdout()).toMatch(/skip {2}\w+: because a signal ended it/);
    expect(started.stdout()).toMatch(/ok {4}delete: /);
  });
});

describe('runlog doctor on an embedded log', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-embedded-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function content(place: string): Promise<Record<string, string>> {
    const names = (await readdir(place)).filter((name) => !name.endsWith('-lock'));
    const digests = names.map(async (name) => {
      const bytes = await readFile(join(place, name));
      return [name, createHash('sha256').update(bytes).digest('hex')] as const;
    });
    return Object.fromEntries(await Promise.all(digests));
  }

  it('makes no log, has the owner do the probe, and changes nothing by itself', async () => {
    const place = join(folder, 'log');
    const env = { RUNLOG_DATA_DIR: place };
    const none = await doctor(env);
    expect([none.code, none.warnings[0]?.message]).toEqual([0, expect.stringMatching(/^no log here/)]);
    expect(await readdir(folder)).toEqual([]);

    const ports = { RUNLOG_INGEST_PORT: '0', RUNLOG_GATEWAY_PORT: '0', RUNLOG_AGGREGATOR_PORT: '0' };
    await using up = await ServiceProcess.start('up', { ...env, ...ports });
    const owned = await doctor(env);
    expect([owned.code, owned.failed, owned.warnings]).toEqual([0, [], []]);
    expect(owned.report.checks.filter(({ group }) => group === 'probe').map(({ status }) => status)).toEqual(
      Array.from({ length: 5 }, () => 'ok'),
    );
    expect(await up.end('SIGTERM'), up.output).toBe(0);

    const before = await content(place);
    const alone = await doctor(env);
    expect([alone.code, alone.failed]).toEqual([0, []]);
    expect(alone.skipped.find(({ group }) => group === 'probe')?.message).toContain(
      'no process owns the log',
    );
    expect(await content(place)).toEqual(before);

    await writeFile(join(place, 'log.mdb'), 'not a database');
    const damaged = await doctor(env);
    expect([damaged.code, damaged.failed]).toMatchObject([1, [{ group: 'folder' }]]);
  });

  it('refuses a folder of somebody else, and names a broken file of keys', async () => {
    const place = await mkdtemp(join(folder, 'foreign-'));
    const keys = join(place, 'keys.json');
    await writeFile(keys, '{"keys": 7}');
    const { code, failed } = await doctor({ RUNLOG_DATA_DIR: place, RUNLOG_KEYS_FILE: keys });
    expect(code).toBe(1);
    expect(failed.map(({ group }) => group)).toEqual(['folder', 'keys']);
    expect(await readdir(place)).toEqual(['keys.json']);
  });
});
