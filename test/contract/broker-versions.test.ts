import { readToEnd } from '@runlog/run-feed/read-to-end';
import { ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import { topicNames } from '@runlog/schema/log/topics';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { runCli } from '../support/cli-process.ts';
import { epochCompleted } from '../support/event-factory.ts';
import { freePort } from '../support/free-ports.ts';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import { createTopic, numbered } from './contract-context.ts';
import { describeTopicIo } from './topic-io-contract.ts';

/** The last release before 4.0; the other tests run on a broker of today. `npm run compatibility` names others. */
const version = process.env.RUNLOG_BROKER_VERSION ?? '3.9.2';

let cluster: MavenBrokers;
let proxyPort: number;

beforeAll(async () => {
  proxyPort = await freePort();
  cluster = await startCluster({
    ...{ count: 1, version },
    listeners: [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertisedPorts: [proxyPort] }],
  });
});

afterAll(() => cluster?.stop());

const open = (clientId: string) => openKafka({ brokers: cluster.brokers, clientId, logger: silentLogger });

describeTopicIo(`kafka ${version}`, async () => {
  let io = await open('runlog-contract');
  return {
    io,
    async reopen() {
      await io[Symbol.asyncDispose]();
      io = await open('runlog-contract');
      return io;
    },
    async dispose() {
      await io[Symbol.asyncDispose]();
    },
  };
});

describe(`kafka ${version}`, () => {
  let io: TopicIo;
  beforeAll(async () => {
    io = await open('runlog-version');
  });
  afterAll(() => io?.[Symbol.asyncDispose]());

  it('carries an event from ingest to the gateway, and its snapshot is that of the fold', async () => {
    const env = {
      ...{ KAFKA_BROKERS: cluster.brokers.join(','), RUNLOG_TOPIC_PREFIX: `${uniqueName('version')}-` },
      RUNLOG_PARTITIONS: '2',
    };
    await using ingest = await ServiceProcess.start('ingest', { ...env, RUNLOG_COMPRESSION: 'gzip' });
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using gateway = await ServiceProcess.start('gateway', env);
    const events = Array.from({ length: 60 }, (_, index) =>
      epochCompleted({ event_id: `version-${index}`, run_id: `r${index % 3}` }),
    );
    const answer = await fetch(`${ingest.addresses.ingest}/v1/events`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify(events),
    });
    expect(ingestResponseSchema.parse(await answer.json())).toMatchObject({ accepted: 60 });
    const url = `${gateway.addresses.gateway}/v1/runs/local/r1/default`;
    const received = async () => {
      const response = await fetch(url);
      return response.status === 200
        ? ((await response.json()) as RunDocument).total_events_received
        : response.status;
    };
    await expect.poll(received).toBe(20);
    // The last flush is the aggregator's own, when it ends.
    expect(await aggregator.end('SIGTERM')).toBe(0);
    const snapshots: string[] = [];
    await readToEnd(io, {
      topic: topicNames(env.RUNLOG_TOPIC_PREFIX).snapshots,
      partitions: [0, 1],
      onRecords: (records) => snapshots.push(...records.map(({ key }) => key)),
    });
    expect(snapshots).toEqual(expect.arrayContaining(['local/r0/default', 'local/r2/default']));
    const verified = await runCli(['verify'], env);
    expect(verified).toMatchObject({ code: 0 });
  });

  it('says whose open transaction holds readers back, and nothing once it has ended', async () => {
    const topic = await createTopic(io);
    const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING });
    const transactionalId = uniqueName('foreign');
    const producer = kafka.producer({ transactionalId, transactionTimeout: 60_000, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      await using writer = await io.writer();
      await writer.append({ topic, partition: 0, records: numbered('before', 3) });
      expect(await io.openTransactions({ topic, partition: 0 })).toEqual([]);
      const transaction = await producer.transaction();
      const sentMs = Date.now();
      await transaction.send({ topic, messages: [{ partition: 0, key: 'k', value: 'v' }] });
      await writer.append({ topic, partition: 0, records: numbered('behind', 2) });
      const [found, ...others] = await io.openTransactions({ topic, partition: 0 });
      expect(others).toEqual([]);
      expect(found).toMatchObject({ transactionalId, startOffset: 3, timeoutMs: 60_000 });
      expect(Math.abs(found!.openedMs! - sentMs)).toBeLessThan(60_000);
      expect(found!.remedy).toContain(transactionalId);
      await transaction.commit();
      await expect.poll(() => io.openTransactions({ topic, partition: 0 })).toEqual([]);
    } finally {
      await producer.disconnect();
    }
  });

  it('would be refused at the start, by its name, if it were older than what runlog needs', async () => {
    await using _ = await KafkaProxy.start({
      ...{ port: proxyPort, targetPort: cluster.listenerPorts[0]!.PROXIED! },
      hooks: {
        onAnswer: ({ apiKey }, answer) => {
          if (apiKey === API_VERSIONS) offerFetchUpTo(10, answer);
          return 'pass';
        },
      },
    });
    const env = {
      ...{ KAFKA_BROKERS: `127.0.0.1:${proxyPort}`, RUNLOG_TOPIC_PREFIX: `${uniqueName('old')}-` },
      RUNLOG_PARTITIONS: '1',
    };
    const refused = async (service: 'ingest' | 'aggregator' | 'gateway') => {
      const refusal = await ServiceProcess.start(service, env).catch(String);
      expect(refusal).toContain(`${service} ended (1)`);
      expect(refusal).toMatch(/127\.0\.0\.1:\d+ is older than Kafka 2\.3/);
    };
    await Promise.all([refused('ingest'), refused('aggregator'), refused('gateway')]);
  });
});

const API_VERSIONS = 18;
const FETCH = 1;

/** Changes an answer to ApiVersions, before its version 3, to that of an older broker. */
function offerFetchUpTo(maxVersion: number, answer: Buffer): void {
  const LENGTH_AND_CORRELATION_BYTES = 8;
  const ENTRY_BYTES = 6;
  const countAt = LENGTH_AND_CORRELATION_BYTES + 2;
  for (let index = 0; index < answer.readInt32BE(countAt); index += 1) {
    const at = countAt + 4 + index * ENTRY_BYTES;
    if (answer.readInt16BE(at) === FETCH) answer.writeInt16BE(maxVersion, at + 4);
  }
}
