import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { Kafka, logLevel } from 'kafkajs';
import { expect, inject, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { epochCompleted, trainingStarted } from '../support/event-factory.ts';
import { openForeignTransaction } from '../support/foreign-transaction.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { StreamSocket } from '../support/stream-socket.ts';
import { uniqueName } from '../support/unique-name.ts';

const KEY = 'local/lost/default';

async function post(ingest: ServiceProcess, ids: { from: number; count: number }): Promise<void> {
  const lines = Array.from({ length: ids.count }, (_, index) => {
    const event_id = `event-${ids.from + index}`;
    const event = { run_id: 'lost', event_id };
    return JSON.stringify(event_id === 'event-0' ? trainingStarted(event) : epochCompleted(event));
  });
  const response = await fetch(`${ingest.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: ids.count, rejected: 0, retry: 0 });
}

async function deleteAllEvents(topic: string): Promise<void> {
  const kafka = new Kafka({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  // kafkajs deletes records only of topics that it has looked at before.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
  await admin.disconnect();
}

async function runAt(gateway: ServiceProcess): Promise<RunSnapshot | null> {
  const response = await fetch(`${gateway.addresses.gateway}/v1/runs/${KEY}`);
  return response.ok ? ((await response.json()) as RunSnapshot) : null;
}

/** What a gateway claims of the run: its position, and what was received until there. */
async function claimOf(gateway: ServiceProcess) {
  const run = await runAt(gateway);
  return run === null ? null : { ...run.position, received: run.total_events_received };
}

it('begins a new epoch if events were deleted before they were in a snapshot, though a gateway has folded them', async () => {
  const prefix = `${uniqueName('lost')}-`;
  const env = {
    KAFKA_BROKERS: inject('kafkaBrokers').join(','),
    RUNLOG_TOPIC_PREFIX: prefix,
    RUNLOG_PARTITIONS: '1',
  };
  await using ingest = await ServiceProcess.start('ingest', env);
  await using ranThrough = await ServiceProcess.start('gateway', env);
  {
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await post(ingest, { from: 0, count: 50 });
    await expect.poll(async () => (await runCli(['verify'], env)).code).toBe(0);
    await aggregator.end('SIGKILL');
  }
  await post(ingest, { from: 50, count: 50 });
  await expect.poll(() => claimOf(ranThrough)).toMatchObject({ received: 100 });
  const before = (await claimOf(ranThrough))!;
  await using socket = await StreamSocket.open(ranThrough.addresses.gateway!);
  socket.send({ id: 1, sub: [{ ch: `run:${KEY}` }] });
  await socket.next((frame) => frame.id === 1);
  await deleteAllEvents(`${prefix}run-events`);
  const rebuilt = await runCli(['rebuild'], env);
  expect(rebuilt.stdout).toContain('a new epoch');
  expect(rebuilt.stdout).toContain('records were deleted before they were folded');
  const { reset } = (await socket.next((frame) => frame.reset !== undefined)) as {
    reset: { snapshot: RunSnapshot };
  };
  expect(reset.snapshot.position.epoch).not.toBe(before.epoch);
  expect(reset.snapshot.total_events_received).toBe(50);
  await post(ingest, { from: 100, count: 10 });
  await using startedNow = await ServiceProcess.start('gateway', env);
  await expect.poll(() => claimOf(startedNow)).toMatchObject({ received: 60 });
  await expect.poll(() => claimOf(ranThrough)).toMatchObject({ received: 60 });
  expect(await claimOf(ranThrough)).toEqual(await claimOf(startedNow));
});

async function figuresOf(gateway: ServiceProcess): Promise<unknown> {
  return (await fetch(`${gateway.addresses.gateway}/v1/runs/${KEY}/figures`)).json();
}

it.each([
  ['run-snapshots', ['rebuild', 'verify']],
  ['run-figures', ['rebuild']],
] as const)('takes nothing for lost that an open transaction on %s hides', async (hidden, commands) => {
  const brokers = inject('kafkaBrokers');
  const prefix = `${uniqueName('hidden')}-`;
  const topic = `${prefix}${hidden}`;
  const env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
  await using ingest = await ServiceProcess.start('ingest', env);
  const aggregator = await ServiceProcess.start('aggregator', env);
  await using ranThrough = await ServiceProcess.start('gateway', env);
  await post(ingest, { from: 0, count: 50 });
  await expect.poll(() => claimOf(ranThrough)).toMatchObject({ received: 50 });
  await using foreign = await openForeignTransaction({ brokers, topic, partition: 0, key: 'not-ours' });
  await post(ingest, { from: 50, count: 50 });
  await expect.poll(() => claimOf(ranThrough)).toMatchObject({ received: 100 });
  // It stores all that it folded, where nobody can read it yet.
  expect(await aggregator.end('SIGTERM')).toBe(0);
  await deleteAllEvents(`${prefix}run-events`);
  const starting = ServiceProcess.start('aggregator', env);
  // It is awaited below.
  starting.catch(() => undefined);
  for (const command of commands) {
    const { code, stderr } = await runCli([command], env);
    expect(code).toBe(3);
    expect(stderr).toContain(`an open transaction of ${foreign.transactionalId} holds back`);
  }
  await foreign.abort();
  await using again = await starting;
  expect(await again.end('SIGTERM')).toBe(0);
  await using startedNow = await ServiceProcess.start('gateway', env);
  expect(await claimOf(startedNow)).toMatchObject({ received: 100 });
  expect(await claimOf(startedNow)).toEqual(await claimOf(ranThrough));
  expect(await figuresOf(startedNow)).toEqual(await figuresOf(ranThrough));
});
