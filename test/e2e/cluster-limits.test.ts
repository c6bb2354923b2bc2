import { fileURLToPath } from 'node:url';
import { rightsOf, rightsToCreate } from '@runlog/schema/log/rights';
import { topicNames } from '@runlog/schema/log/topics';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { epochCompleted } from '../support/event-factory.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { runTool } from '../support/java-client.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const SERVICES = ['ingest', 'aggregator', 'gateway'] as const;
const classFolder = fileURLToPath(new URL('../fixtures/broker-classes', import.meta.url));

/** The topics of a service that makes them have its name as prefix. */
const prefixOf = (service: string) => `by-${service}.`;

describe('on a cluster that limits what its clients may do', () => {
  let broker: GuardedBroker;

  beforeAll(async () => {
    const creators = SERVICES.map((service) => `${service}_first`);
    broker = await GuardedBroker.start({
      users: ['ingest', ...creators, 'slow'],
      classFolder,
      // It refuses topics that begin with "policed.".
      properties: { 'create.topic.policy.class.name': 'RefusingPolicy' },
    });
    await broker.grant(
      SERVICES.flatMap((first) => {
        const names = topicNames(prefixOf(first));
        const give = (user: string, rights: ReturnType<typeof rightsOf>) =>
          rights.map((right) => ({ user, right }));
        return [
          ...give('ingest', rightsOf('ingest', names)),
          ...give(`${first}_first`, [...rightsOf(first, names), ...rightsToCreate(names)]),
        ];
      }),
    );
    const slow = topicNames('slow.');
    await broker.grant(
      [...rightsOf('up', slow), ...rightsToCreate(slow)].map((right) => ({ user: 'slow', right })),
    );
  });

  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]();
  });

  const environment = (user: string, prefix: string) => ({
    ...broker.environment(user),
    ...{ RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '2' },
  });

  async function post(ingest: string, events: number): Promise<Response> {
    const made = Array.from({ length: events }, () => epochCompleted({ event_id: uniqueName('e') }));
    return await fetch(`${ingest}/v1/events`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(made) },
    });
  }

  describe('a service that comes first makes the topics with the rights that the documents name:', () => {
    it.concurrent.each(SERVICES)('%s', async (first) => {
      const prefix = prefixOf(first);
      await using maker = await ServiceProcess.start(first, environment(`${first}_first`, prefix));
      // Another one finds what it needs.
      await using other = await ServiceProcess.start('ingest', environment('ingest', prefix));
      expect((await post(other.addresses.ingest!, 3)).status).toBe(200);
      expect(await maker.end('SIGTERM'), maker.output).toBe(0);
    });
  });

  it('ends with one sentence if the cluster refuses the topics as they would be made', async () => {
    const [address] = broker.cluster.brokers;
    const refusals: readonly [Record<string, string>, string][] = [
      [
        { RUNLOG_TOPIC_PREFIX: 'policed.' },
        'create topic policed.run-meta: POLICY_VIOLATION: topics need at least 24 partitions here',
      ],
      [
        { RUNLOG_TOPIC_PREFIX: 'three.', RUNLOG_REPLICATION_FACTOR: '3' },
        'create topic three.run-meta: INVALID_REPLICATION_FACTOR: ',
      ],
      [
        { RUNLOG_TOPIC_PREFIX: 'odd.', RUNLOG_EVENTS_TOPIC_CONFIG: 'no.such.setting=1' },
        'create topic odd.run-events: INVALID_CONFIG: ',
      ],
    ];
    for (const [variables, sentence] of refusals) {
      const env = { KAFKA_BROKERS: address!, ...variables };
      const command = await runCli(['topics', '--create'], env);
      expect(command.code).toBe(1);
      const lines = command.stderr.split('\n').filter((line) => line.includes('create topic'));
      expect(lines).toEqual([expect.stringContaining(sentence)]);
      expect(command.stderr).not.toMatch(/\n {4}at /);
    }
    const started = ServiceProcess.start('ingest', {
      KAFKA_BROKERS: address!,
      RUNLOG_TOPIC_PREFIX: 'policed.',
    });
    const said = await started.then(String, (error: Error) => error.message);
    expect(said).toContain('ingest ended (1) before it was ready');
    expect(said).toContain(`cannot start: ${refusals[0]![1]}`);
  });

  it('goes on more slowly under a quota, says that it does, and takes it for no outage', async () => {
    const quota = (change: readonly string[]) =>
      runTool(broker.cluster, {
        tool: 'kafka.admin.ConfigCommand',
        options: ['--alter', '--entity-type', 'users', '--entity-name', 'slow', ...change],
        input: '',
      });
    await using up = await ServiceProcess.start('up', environment('slow', 'slow.'));
    const { ingest, gateway, aggregator } = up.addresses as Record<string, string>;
    await quota(['--add-config', 'producer_byte_rate=5000,consumer_byte_rate=5000']);
    let accepted = 0;
    const states = new Set<string>();
    // The first body uses up the quota of the second. How long that waits, the broker decides.
    const answers: Response[] = [];
    const posting = (async () => {
      for (let body = 0; body < 2; body += 1) answers.push(await post(ingest!, 300));
    })();
    const watching = async () => {
      for (const address of [gateway, aggregator]) {
        const { feed } = (await (await fetch(`${address}/readyz`)).json()) as { feed: { state: string } };
        states.add(feed.state);
      }
    };
    while (answers.length < 2) await Promise.race([posting, watching()]);
    await posting;
    for (const answer of answers) {
      const body = (await answer.json()) as { accepted: number; error?: unknown };
      if (answer.status === 200) accepted += body.accepted;
      else expect(body).toMatchObject({ error: { code: 'overloaded' } });
      if (answer.status !== 200)
        expect(JSON.stringify(body)).toContain('a quota of the cluster has ingest wait for another');
    }
    expect(accepted).toBeGreaterThanOrEqual(300);
    await expect.poll(() => up.output).toContain('a quota of the cluster slows this process down');
    await quota(['--delete-config', 'producer_byte_rate,consumer_byte_rate']);
    await expect.poll(async () => (await post(ingest!, 1)).status).toBe(200);
    accepted += 1;
    await expect
      .poll(async () => {
        const response = await fetch(`${gateway}/v1/runs/local/r1/default`);
        return response.status === 200 ? ((await response.json()) as RunDocument).total_events_received : 0;
      })
      .toBeGreaterThanOrEqual(accepted);
    expect([...states]).toEqual(['live']);
    expect(up.output.split('\n').filter((line) => /"level":50|does not answer/.test(line))).toEqual([]);
  });
});
