import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeRejected, UNREADABLE_BATCH_KEY } from '@runlog/records/rejected-record';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readToEnd } from '../contract/contract-context.ts';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { runCli } from '../support/cli-process.ts';
import { DAMAGES, damageStored } from '../support/damaged-batches.ts';
import { epochCompleted, trainingStarted } from '../support/event-factory.ts';
import { openForeignTransaction } from '../support/foreign-transaction.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const EVENTS_A_BODY = 10;

/** Returns the name of a run whose events go there. */
function runIn(partition: number, partitions: number): string {
  for (let number = 0; ; number += 1) {
    if (partitionOf(`local/r${number}/default`, partitions) === partition) return `r${number}`;
  }
}

describe('batches that nobody can read', () => {
  let logFolder: string;
  let cluster: MavenBrokers;
  let io: TopicIo;
  let prefix: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    logFolder = await mkdtemp(join(tmpdir(), 'runlog-unreadable-'));
    cluster = await startCluster({ count: 1, properties: { 'log.dirs': logFolder } });
    io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-unreadable', logger: silentLogger });
  });

  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await cluster?.stop();
    await rm(logFolder, { recursive: true, force: true });
  });

  beforeEach(() => {
    prefix = `${uniqueName('unreadable')}-`;
    env = { KAFKA_BROKERS: cluster.brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
  });

  /** Publishes numbered events, each body by itself, so that each is a batch. */
  async function publish(ingest: string, bodies: { from: number; count: number }): Promise<void> {
    for (let body = bodies.from; body < bodies.from + bodies.count; body += 1) {
      const events = Array.from({ length: EVENTS_A_BODY }, (_, index) => {
        const seq = body * EVENTS_A_BODY + index + 1;
        const made = seq === 1 ? trainingStarted() : epochCompleted();
        return JSON.stringify({ ...made, event_id: `e-${seq}`, emitter_id: 'emitter', emitter_seq: seq });
      });
      const response = await fetch(`${ingest}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: events.join('\n'),
      });
      expect(await response.json()).toMatchObject({ accepted: EVENTS_A_BODY });
    }
  }

  async function shown(gateway: string): Promise<unknown> {
    const response = await fetch(`${gateway}/v1/runs/local/r1/default`);
    return response.status === 200 ? response.json() : null;
  }

  async function rejectedBatches(): Promise<ReturnType<typeof decodeRejected>[]> {
    const { records } = await readToEnd(io, { topic: `${prefix}run-events-rejected` });
    return records.filter(({ key }) => key === UNREADABLE_BATCH_KEY).map(decodeRejected);
  }

  async function metric(url: string, name: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(text)?.[1]);
  }

  async function verified(): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await runCli(['verify', '--json'], env);
    expect(code, stdout + stderr).toBe(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it('are passed by all alike, quarantined once with their place and reason, and their events are missing', async () => {
    const damages = Object.values(DAMAGES);
    await using ingest = await ServiceProcess.start('ingest', env);
    await publish(ingest.addresses.ingest!, { from: 0, count: damages.length + 2 });
    const topic = `${prefix}run-events`;
    await damageStored(
      { logFolder, topic, partition: 0 },
      Object.fromEntries(damages.map((damage, index) => [index + 1, damage])),
    );
    const missing = damages.length * EVENTS_A_BODY;
    await using up = await ServiceProcess.start('up', env);
    const { gateway, aggregator } = up.addresses as { gateway: string; aggregator: string };
    await expect
      .poll(() => shown(gateway))
      .toMatchObject({ total_events_received: 2 * EVENTS_A_BODY, missing, missing_is_exact: true });
    await expect.poll(rejectedBatches).toHaveLength(damages.length);
    const rejected = await rejectedBatches();
    expect(rejected.map(({ origin }) => origin)).toEqual(
      damages.map((_, index) => `${topic}:0:${(index + 1) * EVENTS_A_BODY}`),
    );
    for (const [index, reason] of [
      'is compressed with the unknown codec 5',
      'is compressed with lz4 and cannot be decompressed: it is no LZ4 frame',
      'has a record that ends behind it',
      'has a wrong checksum',
      'has format 1, not 2',
    ].entries()) {
      const { code, message, text } = rejected[index]!;
      expect(code).toBe('unreadable_batch');
      // An entry of format 1 says no more than its one offset.
      const lastOffset = (index + 1) * 10 + (index === 4 ? 0 : 9);
      expect(message).toContain(`the batch at offsets ${(index + 1) * 10} to ${lastOffset} ${reason}`);
      // The offset that the batch began with.
      expect(Number(Buffer.from(text!, 'base64').readBigInt64BE(0))).toBe((index + 1) * EVENTS_A_BODY);
    }
    expect(await metric(gateway, 'runlog_gateway_unreadable_batches_total')).toBe(damages.length);
    expect(await metric(aggregator, 'runlog_aggregator_unreadable_batches_total')).toBe(damages.length);
    expect(up.output.split('is passed, and its numbers are missing').length - 1).toBe(damages.length);
    // Nothing is held up, and another start tells nobody twice.
    await publish(up.addresses.ingest!, { from: damages.length + 2, count: 1 });
    await expect
      .poll(() => shown(gateway))
      .toMatchObject({ total_events_received: 3 * EVENTS_A_BODY, missing });
    expect(await up.end('SIGTERM')).toBe(0);
    await using again = await ServiceProcess.start('up', env);
    expect(await shown(again.addresses.gateway!)).toMatchObject({
      total_events_received: 3 * EVENTS_A_BODY,
      missing,
    });
    expect(await verified()).toMatchObject({
      ...{ unreadable: damages.length, events: 3 * EVENTS_A_BODY },
      unreadableBatches: [{ topic, partition: 0, firstOffset: 10, lastOffset: 19 }, {}, {}, {}, {}],
    });
    const history = await fetch(
      `${again.addresses.gateway}/v1/runs/local/r1/default/events?after=-1&limit=100`,
    );
    expect(((await history.json()) as { events: unknown[] }).events).toHaveLength(3 * EVENTS_A_BODY);
    const replayed = await runCli(['replay'], env);
    expect(replayed.stdout.trim().split('\n')).toHaveLength(3 * EVENTS_A_BODY);
    expect(replayed.stderr).toContain(
      `${topic}:0: the batch at offsets 10 to 19 is compressed with the unknown codec 5`,
    );
    expect(await rejectedBatches()).toHaveLength(damages.length);
    expect((await runCli(['rejected', '--code', 'unreadable_batch'], env)).stdout).toContain(
      'has format 1, not 2',
    );
  });

  it('that the broker itself cannot read hold up their partition, which is said once, and no other', async () => {
    env = { ...env, RUNLOG_PARTITIONS: '3' };
    const topic = `${prefix}run-events`;
    await using up = await ServiceProcess.start('up', env);
    const { ingest, gateway, aggregator } = up.addresses as Record<string, string>;
    const runs = [0, 1, 2].map((partition) => runIn(partition, 3));
    const send = async (partition: number, count: number) => {
      const events = Array.from({ length: count }, () =>
        epochCompleted({ event_id: uniqueName('e'), run_id: runs[partition]! }),
      );
      const response = await fetch(`${ingest}/v1/events`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(events) },
      });
      expect(response.status).toBe(200);
    };
    const received = async (partition: number) => {
      const response = await fetch(`${gateway}/v1/runs/local/${runs[partition]}/default`);
      return response.status === 200
        ? ((await response.json()) as { total_events_received: number }).total_events_received
        : 0;
    };
    for (const partition of [0, 1, 2]) await send(partition, 4);
    for (const partition of [0, 1, 2]) await expect.poll(() => received(partition)).toBe(4);

    // While a transaction is open nobody has read what is behind it, and it can be damaged on the disk.
    const at = { logFolder, topic };
    const ofTopic = { brokers: cluster.brokers, topic, key: 'k' };
    await using first = await openForeignTransaction({ ...ofTopic, partition: 0 });
    await using second = await openForeignTransaction({ ...ofTopic, partition: 1 });
    for (const partition of [0, 1]) for (let batch = 0; batch < 3; batch += 1) await send(partition, 2);
    // A length that is none is an error of the broker's; behind one that is too large it finds nothing.
    const lengths = [10, 100_000_000];
    const repairs = await Promise.all(
      lengths.map((length, partition) =>
        damageStored({ ...at, partition }, { [-2]: (batch) => void batch.writeInt32BE(length, 8) }),
      ),
    );
    await first.commit();
    await second.commit();
    await send(2, 5);
    await expect.poll(() => received(2)).toBe(9);
    for (const partition of [0, 1]) await expect.poll(() => received(partition)).toBe(6);

    const lines = () =>
      up.output.split('\n').filter((line) => line.includes('events cannot be read; retrying'));
    const places = [
      `CORRUPT_MESSAGE: topic ${topic}, partition 0: at offset 7; `,
      `topic ${topic}, partition 1: no records at offset 7, below its end 12; `,
    ];
    for (const place of places) {
      // Of the gateway and of the aggregator.
      await expect.poll(() => lines().filter((line) => line.includes(place))).toHaveLength(2);
    }
    for (const line of lines()) expect(line).toContain('docs/operations.md, \\"A batch cannot be read\\"');
    expect(lines()).toHaveLength(4);
    for (const address of [gateway, aggregator]) {
      expect(await (await fetch(`${address}/readyz`)).json()).toMatchObject({
        ...{ status: 'ready', feed: { state: 'live', behind_records: 10 } },
      });
    }
    expect(await metric(gateway!, 'runlog_gateway_behind_records')).toBe(10);
    for (const partition of [0, 1]) {
      expect(await metric(aggregator!, `runlog_aggregator_lag_offsets{partition="${partition}"}`)).toBe(5);
    }
    expect(up.output).not.toContain('does not answer');
    const verified = await runCli(['verify'], env);
    expect(verified.code).toBe(3);
    expect(verified.stderr).toContain(places[0]);

    // Another replica that has it whole would do the same.
    for (const repair of repairs) await repair();
    for (const partition of [0, 1]) await expect.poll(() => received(partition)).toBe(10);
    await expect.poll(() => up.output.split('reading events again').length - 1).toBe(2);
    expect(await up.end('SIGTERM')).toBe(0);
  });

  it('of events that were whole when a gateway folded them: a rebuild begins a new epoch', async () => {
    await using ingest = await ServiceProcess.start('ingest', env);
    await using ranThrough = await ServiceProcess.start('gateway', env);
    await publish(ingest.addresses.ingest!, { from: 0, count: 3 });
    const whole = { total_events_received: 3 * EVENTS_A_BODY, missing: 0 };
    await expect.poll(() => shown(ranThrough.addresses.gateway!)).toMatchObject(whole);
    await damageStored(
      { logFolder, topic: `${prefix}run-events`, partition: 0 },
      { 1: DAMAGES.flippedBit, 2: DAMAGES.unknownCodec },
    );
    const rebuilt = await runCli(['rebuild'], env);
    expect(rebuilt.code, rebuilt.stdout + rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toContain('a new epoch');
    expect(rebuilt.stdout).toContain('the batch at offsets 10 to 19 has a wrong checksum');
    await publish(ingest.addresses.ingest!, { from: 3, count: 1 });
    const left = { total_events_received: 2 * EVENTS_A_BODY, missing: 2 * EVENTS_A_BODY };
    await using startedNow = await ServiceProcess.start('gateway', env);
    await expect.poll(() => shown(startedNow.addresses.gateway!)).toMatchObject(left);
    await expect.poll(() => shown(ranThrough.addresses.gateway!)).toMatchObject(left);
    expect(await shown(ranThrough.addresses.gateway!)).toEqual(await shown(startedNow.addresses.gateway!));
  });

  it('of snapshots are refused by name, and a rebuild mends them', async () => {
    {
      await using up = await ServiceProcess.start('up', env);
      await publish(up.addresses.ingest!, { from: 0, count: 2 });
      await expect.poll(async () => (await runCli(['verify'], env)).code).toBe(0);
      await up.end('SIGTERM');
    }
    // The last batch of a transaction's topic is its mark.
    await damageStored(
      { logFolder, topic: `${prefix}run-snapshots`, partition: 0 },
      { [-2]: DAMAGES.flippedBit },
    );
    const ports = { RUNLOG_INGEST_PORT: '0', RUNLOG_GATEWAY_PORT: '0', RUNLOG_AGGREGATOR_PORT: '0' };
    const refused = await runCli(['up'], { ...env, ...ports });
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toMatch(
      /run-snapshots partition 0: the batch at offsets \d+ to \d+ has a wrong checksum.*None was overwritten.*runlog rebuild/,
    );
    const failed = await runCli(['verify', '--json'], env);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('has a wrong checksum');
    const rebuilt = await runCli(['rebuild'], env);
    expect(rebuilt.code, rebuilt.stdout + rebuilt.stderr).toBe(0);
    await using up = await ServiceProcess.start('up', env);
    expect(await shown(up.addresses.gateway!)).toMatchObject({ total_events_received: 20, missing: 0 });
    expect(await verified()).toMatchObject({ unreadable: 0 });
  });
});
