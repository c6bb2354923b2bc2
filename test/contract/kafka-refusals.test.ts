import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AclOperation, AclResource, Right } from '@runlog/schema/log/rights';
import type { KafkaOptions } from '@runlog/topic-io/kafka/config';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { Kafka, logLevel, PartitionAssigners } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startForwarder } from '../support/forwarder.ts';
import { freePorts } from '../support/free-ports.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { createTopic, expectAcknowledged, numbered, readToEnd, rejectionOf } from './contract-context.ts';

interface Line {
  readonly message: string;
  readonly broker?: string;
  readonly reason?: string;
}

/** Resolves to a consumer that is in the group and shares partitions out in a way of its own. */
async function joinAsAnotherKind(at: { brokers: readonly string[]; group: string; topic: string }) {
  const kafka = new Kafka({ brokers: [...at.brokers], clientId: 'foreign', logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    groupId: at.group,
    partitionAssigners: [
      (config) => {
        const dealt = PartitionAssigners.roundRobin(config);
        const protocol = (of: { topics: string[] }) => ({ ...dealt.protocol(of), name: 'another' });
        return { ...dealt, name: 'another', protocol };
      },
    ],
  });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
  });
  await consumer.connect();
  await consumer.subscribe({ topic: at.topic });
  await consumer.run({ eachMessage: async () => undefined });
  await joined;
  return consumer;
}

/** What a broker refuses is said at once and by name, with what it is about and what to do. */
describe('a broker that refuses', () => {
  let broker: GuardedBroker;
  let admin: TopicIo;
  let folder: string;
  let deadPort: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'runlog-tls-'));
    const keystore = join(folder, 'broker.p12');
    const made = spawnSync('keytool', [
      ...['-genkeypair', '-alias', 'broker', '-dname', 'CN=localhost', '-keyalg', 'EC', '-validity', '2'],
      ...['-keystore', keystore, '-storetype', 'PKCS12', '-storepass', 'changeit'],
    ]);
    expect(made.status, String(made.stderr)).toBe(0);
    deadPort = (await freePorts(1))[0]!;
    broker = await GuardedBroker.start({
      users: ['reader', 'writer', 'transactor', 'member', 'nobody', 'creator'],
      listeners: [
        { name: 'OPEN', protocol: 'PLAINTEXT' },
        { name: 'TLS', protocol: 'SSL' },
        { name: 'ELSEWHERE', protocol: 'PLAINTEXT', advertisedPorts: [deadPort] },
      ],
      properties: {
        'ssl.keystore.location': keystore,
        'ssl.keystore.password': 'changeit',
        'ssl.keystore.type': 'PKCS12',
      },
    });
    admin = await openKafka({ brokers: broker.cluster.brokers, clientId: 'admin', logger: silentLogger });
  });

  afterAll(async () => {
    await admin?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(options: Pick<KafkaOptions, 'brokers' | 'sasl' | 'ssl'>) {
    const lines: Line[] = [];
    const details: string[] = [];
    const at = (fields: object, message: string) => void lines.push({ ...fields, message });
    const debug = (fields: object) => void details.push(JSON.stringify(fields));
    const logger = { debug, info: at, warn: at, error: at };
    return { io: await openKafka({ ...options, clientId: 'refused', logger }), lines, details };
  }

  const listener = (name: string) => [`127.0.0.1:${broker.cluster.listenerPorts[0]![name]}`];

  function right(resource: AclResource, name: string, ...operations: AclOperation[]): Right {
    return { resource, name, prefixed: false, operations };
  }

  const command = (user: string, operation: string, resource: string) =>
    `kafka-acls.sh --bootstrap-server ${broker.brokers[0]} --command-config admin.properties --add ` +
    `--allow-principal User:${user} --operation ${operation} ${resource}`;

  it('names the right to a topic that is missing, by the operation that needs it', async () => {
    const topic = await createTopic(admin);
    const { io } = await opened(broker.login('nobody'));
    await using _ = io;
    const spec = { name: topic, partitions: 1, cleanupPolicy: 'delete', settings: {} } as const;
    const unseen = await rejectionOf(io.describeTopic(topic));
    expect(unseen.code).toBe('denied');
    expect(unseen.message).toBe(
      `describe topic ${topic}: TOPIC_AUTHORIZATION_FAILED: topic ${topic}; User:nobody has no right to Describe on ` +
        `topic ${topic}; an administrator gives it with: ${command('nobody', 'Describe', `--topic ${topic}`)}`,
    );
    expect((await rejectionOf(io.bounds(topic))).message).toContain('--operation Describe');
    await broker.grant([{ user: 'nobody', right: right('topic', topic, 'Describe') }]);
    expect((await rejectionOf(io.describeTopic(topic))).message).toContain('--operation DescribeConfigs');
    await broker.grant([{ user: 'nobody', right: right('topic', topic, 'DescribeConfigs') }]);
    expect(await io.describeTopic(topic)).toMatchObject({ name: topic });
    for (const need of ['read', 'write'] as const) {
      const needing = { ...spec, name: topic, needs: [need] };
      for (const deny of [() => io.describeTopic(topic, [need]), () => io.ensureTopics([needing])]) {
        const fault = await rejectionOf(deny());
        expect(fault.code).toBe('denied');
        expect(fault.message).toContain(`--operation ${need === 'read' ? 'Read' : 'Write'} --topic ${topic}`);
      }
    }
    await using writer = await io.writer();
    const { acknowledged, fault } = await writer.append({ topic, partition: 0, records: numbered('no', 1) });
    expect({ acknowledged, code: fault?.code }).toEqual({ acknowledged: 0, code: 'denied' });
    expect(fault?.message).toContain(command('nobody', 'Write', `--topic ${topic}`));
    // Whoever may write to another topic may be a producer, and gets as far as the topic.
    const other = await createTopic(admin);
    await broker.grant([{ user: 'nobody', right: right('topic', other, 'Write') }]);
    const elsewhere = await writer.append({ topic, partition: 0, records: numbered('no', 1) });
    expect(elsewhere.fault?.message).toContain(`TOPIC_AUTHORIZATION_FAILED: topic ${topic}, partition 0`);
    expect((await rejectionOf(io.deleteTopic(topic))).message).toContain(
      command('nobody', 'Delete', `--topic ${topic}`),
    );
    const unmade = await rejectionOf(io.ensureTopics([{ ...spec, name: `${topic}-new` }]));
    expect(unmade.message).toContain(command('nobody', 'Describe', `--topic ${topic}-new`));
    await broker.grant([{ user: 'nobody', right: right('topic', `${topic}-new`, 'Describe') }]);
    const refused = await rejectionOf(io.ensureTopics([{ ...spec, name: `${topic}-new` }]));
    expect(refused.message).toContain(command('nobody', 'Create', `--topic ${topic}-new`));
  });

  it('passes on what the broker says of a topic that it does not make', async () => {
    const spec = { name: 'unmade', partitions: 1, cleanupPolicy: 'delete', settings: {} } as const;
    const tooMany = await rejectionOf(admin.ensureTopics([{ ...spec, replicationFactor: 5 }]));
    expect(tooMany.code).toBe('unusable');
    expect(tooMany.message).toMatch(/^create topic unmade: INVALID_REPLICATION_FACTOR: .*\b5 time/);
    const unknown = await rejectionOf(admin.ensureTopics([{ ...spec, settings: { 'no.such': '1' } }]));
    expect(unknown).toMatchObject({ code: 'unusable', message: expect.stringContaining('no.such') });
  });

  it('ends a reader that may not read, unless it follows the topic for ever', async () => {
    const topic = await createTopic(admin);
    const grants = [{ user: 'reader', right: right('topic', topic, 'Read') }];
    await broker.grant([{ user: 'reader', right: right('topic', topic, 'Describe', 'DescribeConfigs') }]);
    const { io } = await opened(broker.login('reader'));
    await using _ = io;
    const denial = await rejectionOf(readToEnd(io, { topic }));
    expect(denial.code).toBe('denied');
    expect(denial.message).toContain(command('reader', 'Read', `--topic ${topic}`));

    const faults: (TopicIoError | null)[] = [];
    await using reader = io.reader({ topic, outlastsDenial: true, onFault: (fault) => faults.push(fault) });
    reader.add({ partition: 0, offset: 0 });
    const first = reader[Symbol.asyncIterator]().next();
    await expect.poll(() => faults.length).toBe(1);
    await broker.grant(grants);
    expect((await first).value).toMatchObject({ kind: 'records', nextOffset: 0 });
    await broker.revoke(grants);
    const second = reader[Symbol.asyncIterator]().next();
    await expect.poll(() => faults.length).toBe(3);
    await broker.grant(grants);
    await using writer = await admin.writer();
    expectAcknowledged(await writer.append({ topic, partition: 0, records: numbered('r', 1) }), 1);
    expect((await second).value).toMatchObject({ kind: 'records', nextOffset: 1 });
    expect(faults.map((fault) => fault?.code ?? null)).toEqual(['denied', null, 'denied', null]);
  });

  it('names the transactional id, the group, or the one topic of several that a transaction may not have', async () => {
    const [allowed, denied] = [await createTopic(admin), await createTopic(admin)];
    const id = `${allowed}-id`;
    const group = `${allowed}-group`;
    const { io } = await opened(broker.login('transactor'));
    await using _ = io;
    const unopened = await rejectionOf(io.fencedWriter(id));
    expect(unopened.code).toBe('denied');
    expect(unopened.message).toContain('TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactional id');
    expect(unopened.message).toContain(command('transactor', 'Write', `--transactional-id ${id}`));
    await broker.grant([
      { user: 'transactor', right: right('transactional-id', id, 'Write') },
      { user: 'transactor', right: right('topic', allowed, 'Write') },
      { user: 'transactor', right: right('topic', denied, 'Describe') },
    ]);
    const records = [allowed, denied].map((topic) => ({ topic, partition: 0, records: numbered('t', 1) }));
    const commit = async (
      transaction: Parameters<Awaited<ReturnType<TopicIo['fencedWriter']>>['commit']>[0],
    ) => {
      await using writer = await io.fencedWriter(id);
      await writer.commit(transaction);
    };
    const torn = await rejectionOf(commit({ records }));
    expect(torn.code).toBe('denied');
    expect(torn.message).toContain(`TOPIC_AUTHORIZATION_FAILED: topic ${denied}`);
    expect(torn.message).toContain(command('transactor', 'Write', `--topic ${denied}`));
    const offsets = [{ group, topic: allowed, partition: 0, offset: 1 }];
    const ungrouped = await rejectionOf(commit({ records: records.slice(0, 1), offsets }));
    expect(ungrouped.code).toBe('denied');
    expect(ungrouped.message).toContain(`GROUP_AUTHORIZATION_FAILED: group ${group}`);
    expect(ungrouped.message).toContain(command('transactor', 'Read', `--group ${group}`));
    await broker.grant([
      { user: 'transactor', right: right('group', group, 'Read') },
      { user: 'transactor', right: right('topic', denied, 'Write') },
      { user: 'transactor', right: right('topic', allowed, 'Read') },
    ]);
    await commit({ records, offsets });
  });

  it('lets nobody into a group who may not join, and a member go on when it may again', async () => {
    const topic = await createTopic(admin);
    const group = `${topic}-group`;
    const grants = [{ user: 'member', right: right('group', group, 'Read') }];
    await broker.grant([{ user: 'member', right: right('topic', topic, 'Describe') }]);
    const { io, lines, details } = await opened(broker.login('member'));
    await using _ = io;
    const refusals = () => details.filter((detail) => /authorized.*group/i.test(detail)).length;
    const denials: (TopicIoError | null)[] = [];
    const join = () => io.groupMember({ group, topic, onRefused: (denial) => denials.push(denial) });
    const unjoined = await rejectionOf(join());
    expect(unjoined.code).toBe('denied');
    expect(unjoined.message).toContain(`GROUP_AUTHORIZATION_FAILED: group ${group}`);
    expect(unjoined.message).toContain(command('member', 'Read', `--group ${group}`));
    await broker.grant(grants);
    await using member = await join();
    const assigned = (await member[Symbol.asyncIterator]().next()).value;
    await broker.revoke(grants);
    await expect.poll(() => denials.length).toBe(1);
    expect(await member.confirm(assigned.generation)).toBe(false);
    // However often it is refused, it is told once.
    const before = refusals();
    await expect.poll(refusals).toBeGreaterThan(before + 2);
    expect(denials).toHaveLength(1);
    await broker.grant(grants);
    await expect.poll(() => denials.length).toBe(2);
    expect(denials.map((denial) => denial?.code ?? null)).toEqual(['denied', null]);
    // The broker answered all the time.
    expect(lines).toEqual([]);
  });

  it('says what else keeps it out of a group', async () => {
    const topic = await createTopic(admin);
    const group = `${topic}-group`;
    const foreign = await joinAsAnotherKind({ brokers: broker.cluster.brokers, group, topic });
    const refused = await rejectionOf(admin.groupMember({ group, topic }));
    expect(refused.code).toBe('denied');
    expect(refused.message).toContain(`INCONSISTENT_GROUP_PROTOCOL: group ${group}`);
    expect(refused.message).toContain(`--describe --members --group ${group}`);
    await foreign.disconnect();
    await using member = await admin.groupMember({ group, topic });
    expect((await member[Symbol.asyncIterator]().next()).value.partitions).toEqual([0]);
  });

  it('says at once that a password is wrong', async () => {
    const { io, lines } = await opened({
      brokers: broker.brokers,
      sasl: { mechanism: 'plain', username: 'writer', password: { value: 'secret-and-wrong' } },
    });
    await using _ = io;
    const fault = await rejectionOf(io.ping());
    expect(fault.code).toBe('unusable');
    expect(fault.message).toContain('SASL_AUTHENTICATION_FAILED');
    expect(fault.message).toContain('KAFKA_SASL_');
    expect(fault.message).not.toContain('secret-and-wrong');
    await using writer = await io.writer();
    const { fault: unwritten } = await writer.append({ topic: 't', partition: 0, records: numbered('w', 1) });
    expect(unwritten?.code).toBe('unusable');
    expect(lines).toEqual([]);
  });

  it.concurrent.each([
    ['a port that wants TLS', { ssl: false, sasl: false, at: 'TLS' }, 'KAFKA_SSL'],
    ['a port that does not speak TLS', { ssl: true, sasl: false, at: 'OPEN' }, 'this port may not speak TLS'],
    ['a port that wants SASL', { ssl: false, sasl: false, at: 'GUARDED' }, 'KAFKA_SASL_MECHANISM'],
    ['a port that knows no SASL', { ssl: false, sasl: true, at: 'OPEN' }, 'leave KAFKA_SASL_MECHANISM out'],
  ])('says what is wrong with %s', async (_name, { ssl, sasl, at }, expected) => {
    const login = sasl ? { sasl: broker.login('writer').sasl } : {};
    const { io } = await opened({ brokers: listener(at), ssl, ...login });
    await using _ = io;
    const fault = await rejectionOf(io.ping());
    expect(fault.message).toContain(expected);
    expect(fault.message).toContain(String(listener(at)[0]));
  });

  it.concurrent('says that the name of a broker does not resolve', async () => {
    const { io } = await opened({ brokers: ['kafka.invalid:9092'] });
    await using _ = io;
    const fault = await rejectionOf(io.ping());
    expect(fault.code).toBe('unavailable');
    expect(fault.message).toContain('kafka.invalid:9092: the name kafka.invalid does not resolve');
  });

  it.concurrent('says once, with both addresses, that an advertised one does not answer, and once that it does', async ({
    expect,
  }) => {
    const topic = await createTopic(admin, { partitions: 3 });
    const { io, lines } = await opened({ brokers: listener('ELSEWHERE') });
    await using _ = io;
    let faults = 0;
    const readers = [0, 1, 2].map((partition) => {
      const reader = io.reader({ topic, onFault: () => (faults += 1) });
      reader.add({ partition, offset: 0 });
      return reader[Symbol.asyncIterator]().next();
    });
    await using writer = await io.writer();
    const append = async () =>
      (await writer.append({ topic, partition: 0, records: numbered('a', 1) })).fault;
    // The address that was given answers all the time.
    const [unwritten, unbound] = await Promise.all([append(), rejectionOf(io.bounds(topic)), io.ping()]);
    const said = `127.0.0.1:${deadPort} (the address that ${listener('ELSEWHERE')[0]} gives for this broker: its advertised.listeners): nothing listens there`;
    expect(unwritten).toMatchObject({ code: 'unavailable', message: expect.stringContaining(said) });
    expect(unbound).toMatchObject({ code: 'unavailable', message: expect.stringContaining(said) });
    expect(faults).toBe(3);
    expect(lines).toMatchObject([
      { message: 'a broker does not answer; trying again', broker: `127.0.0.1:${deadPort}` },
    ]);
    await using _forwarder = await startForwarder({
      from: deadPort,
      to: Number(listener('ELSEWHERE')[0]!.split(':')[1]),
    });
    await Promise.all(readers);
    await expect.poll(append).toBeUndefined();
    expect(lines.map(({ message }) => message)).toEqual([
      'a broker does not answer; trying again',
      'the broker answers again',
    ]);
  });
});
