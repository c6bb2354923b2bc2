import { prepareTopics, readMeta } from '@runlog/run-feed/prepare-topics';
import { topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { changedIo } from '../simulation/changed-io.ts';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { runCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const WAIT = { timeout: 60_000 };

/** The broker makes any topic that somebody asks for in passing, which is Kafka's default. */
describe('topics of snapshots that a rebuild dropped, or that somebody deleted', () => {
  let cluster: MavenBrokers;
  let io: TopicIo;
  let prefix: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    cluster = await startCluster({ count: 1, properties: { 'auto.create.topics.enable': true } });
    io = await open();
  });
  afterAll(async () => {
    await io?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });
  beforeEach(() => {
    prefix = `${uniqueName('asleep')}-`;
    env = {
      ...{ KAFKA_BROKERS: cluster.brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' },
    };
  });

  const open = () => openKafka({ brokers: cluster.brokers, clientId: 'by-hand', logger: silentLogger });
  const exists = async (name: string) => (await io.describeTopic(`${prefix}${name}`)) !== null;

  function prepare(by: TopicIo) {
    return prepareTopics({
      ...{
        io: by,
        topics: topicNames(prefix),
        partitions: 1,
        replicationFactor: 1,
        eventRetentionHours: 720,
      },
      ...{ epoch: () => 'first', now: Date.now, logger: silentLogger },
    });
  }

  async function post(to: ServiceProcess): Promise<void> {
    const response = await fetch(`${to.addresses.ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: recording('short').lines.join('\n'),
    });
    expect(response.status).toBe(200);
  }

  async function verified(): Promise<void> {
    await expect.poll(async () => (await runCli(['verify'], env)).code, WAIT).toBe(0);
  }

  async function rebuilt(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCli(['rebuild', ...args], env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  }

  it('are not made anew by a process that starts, and sleeps through the rebuild', async () => {
    await prepare(io);
    let wake: () => void = () => undefined;
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let reached: () => void = () => undefined;
    const atSnapshots = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const sleepAt = async (names: readonly string[]) => {
      if (!names.some((name) => name.endsWith('run-snapshots'))) return;
      reached();
      await asleep;
    };
    await using own = await open();
    const sleeper = changedIo(own, {
      ensureTopics: async (specs) => {
        await sleepAt(specs.map(({ name }) => name));
        return own.ensureTopics(specs);
      },
      describeTopic: async (name, needs) => {
        await sleepAt([name]);
        return own.describeTopic(name, needs);
      },
    });
    const prepared = prepare(sleeper).then(
      ({ snapshots }) => snapshots,
      (error: Error) => error.message,
    );
    await atSnapshots;
    await rebuilt('--drop-old');
    wake();
    expect(await prepared).toContain(
      `there is no topic ${prefix}run-snapshots, which ${prefix}run-meta names`,
    );
    // A service tries again, as after any fault that passes.
    expect((await prepare(sleeper)).snapshots).toBe(`${prefix}run-snapshots.v2`);
    expect([await exists('run-snapshots'), await exists('run-figures')]).toEqual([false, false]);
  });

  it('are not made anew by services that were asleep, or by the broker on their behalf', async () => {
    await using ingest = await ServiceProcess.start('ingest', env);
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using gateway = await ServiceProcess.start('gateway', env);
    await post(ingest);
    await verified();
    for (const { pid } of [aggregator, gateway]) process.kill(pid, 'SIGSTOP');
    await rebuilt('--drop-old');
    for (const { pid } of [aggregator, gateway]) process.kill(pid, 'SIGCONT');
    await post(ingest);
    for (const [name, service] of Object.entries({ aggregator, gateway })) {
      await expect.poll(() => service.output, WAIT).toContain('run-meta was switched');
      await expect
        .poll(async () => (await fetch(`${service.addresses[name]}/readyz`)).status, WAIT)
        .toBe(200);
    }
    const shown = async () =>
      (await fetch(`${gateway.addresses.gateway}/v1/runs/local/short/default`)).json();
    await expect.poll(shown, WAIT).toMatchObject({ total_events_received: 68 });
    await verified();
    expect([await exists('run-snapshots'), await exists('run-figures')]).toEqual([false, false]);
  });

  it.each([['run-snapshots'], ['run-figures']])(
    'are waited for if somebody deleted %s, until a rebuild has written them anew',
    async (name) => {
      {
        await using up = await ServiceProcess.start('up', env);
        await post(up);
        await verified();
        await up.end('SIGTERM');
      }
      await io.deleteTopic(`${prefix}${name}`);
      await expect.poll(() => exists(name), WAIT).toBe(false);
      const { code, stderr } = await runCli(['verify'], env);
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('"runlog rebuild"'),
      });
      const starting = ServiceProcess.start('gateway', env);
      expect(await rebuilt()).toContain('1 runs written');
      await using gateway = await starting;
      const shown = await fetch(`${gateway.addresses.gateway}/v1/runs/local/short/default`);
      expect(await shown.json()).toMatchObject({ total_events_received: 34 });
      await verified();
      expect((await readMeta(io, topicNames(prefix)))?.snapshots).toBe(`${prefix}run-snapshots.v2`);
    },
  );
});
