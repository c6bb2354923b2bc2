import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { loseStored } from '../support/damaged-batches.ts';
import { startForwarder } from '../support/forwarder.ts';
import { freePort } from '../support/free-ports.ts';
import { silentLogger } from '../support/silent-logger.ts';
import {
  appendAll,
  createTopic,
  nextFetched,
  nextRecords,
  numbered,
  openReader,
  textOf,
} from './contract-context.ts';

const BATCHES = 10;
const BATCH_RECORDS = 10;
const KEPT_BATCHES = 7;

let logFolder: string;
let port: number;
let cluster: MavenBrokers;

beforeAll(async () => {
  logFolder = await mkdtemp(join(tmpdir(), 'runlog-lost-tail-'));
  port = await freePort();
  cluster = await startCluster({
    count: 1,
    listeners: [{ name: 'FAR', protocol: 'PLAINTEXT', advertisedPorts: [port] }],
    properties: { 'log.dirs': logFolder },
  });
});

afterAll(async () => {
  await cluster?.stop();
  await rm(logFolder, { recursive: true, force: true });
});

it('a reader that was away while the log lost its tail and grew past it again is told so, and reads nothing more', async () => {
  const forward = () => startForwarder({ from: port, to: cluster.listenerPorts[0]!.FAR! });
  const near = await openKafka({ brokers: cluster.brokers, clientId: 'near', logger: silentLogger });
  await using far = await openKafka({
    brokers: [`127.0.0.1:${port}`],
    ...{ clientId: 'far', logger: silentLogger },
  });
  const topic = await createTopic(near);
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await appendAll(near, { topic, records: numbered(`before-${batch}`, BATCH_RECORDS) });
  }
  await near[Symbol.asyncDispose]();

  const connected = await forward();
  await using reader = openReader(far, topic);
  reader.add({ partition: 0, offset: 0 });
  for (let nextOffset = 0; nextOffset < BATCHES * BATCH_RECORDS; ) {
    nextOffset = (await nextRecords(reader)).nextOffset;
  }
  await connected[Symbol.asyncDispose]();
  await cluster.kill(0, 'SIGKILL');
  await loseStored({ logFolder, topic, partition: 0 }, { kept: KEPT_BATCHES });
  await cluster.restart(0);
  await using again = await openKafka({ brokers: cluster.brokers, clientId: 'again', logger: silentLogger });
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await appendAll(again, { topic, records: numbered(`after-${batch}`, BATCH_RECORDS) });
  }

  await using _reconnected = await forward();
  expect(await nextFetched(reader)).toEqual({
    kind: 'out_of_range',
    partition: 0,
    requestedOffset: BATCHES * BATCH_RECORDS,
    startOffset: 0,
    stableEnd: KEPT_BATCHES * BATCH_RECORDS,
  });
  // Whoever begins now reads across the change of leaders and gets all of it.
  await using fresh = openReader(far, topic);
  fresh.add({ partition: 0, offset: 0 });
  const read: (string | null)[] = [];
  while (read.length < (KEPT_BATCHES + BATCHES) * BATCH_RECORDS) {
    read.push(...textOf((await nextRecords(fresh)).records));
  }
  expect(read[KEPT_BATCHES * BATCH_RECORDS]).toBe('after-0-0');
});
