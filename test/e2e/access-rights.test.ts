import { readAggregatorConfig } from '@runlog/aggregator/config';
import { startAggregator } from '@runlog/aggregator/start-aggregator';
import { readGatewayConfig } from '@runlog/gateway/config';
import { startGateway } from '@runlog/gateway/start-gateway';
import { readIngestConfig } from '@runlog/ingest/config';
import { startIngest } from '@runlog/ingest/start-ingest';
import { encodeMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { type Right, ROLES, type Role, rightsOf, rightsToCreate } from '@runlog/schema/log/rights';
import { topicNames } from '@runlog/schema/log/topics';
import type { Running } from '@runlog/service-kit/lifecycle';
import { type LogConfig, openLog } from '@runlog/service-kit/log-config';
import { createLogger } from '@runlog/service-kit/logger';
import { processResources, type ServiceStart } from '@runlog/service-kit/run-service';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Command, CommandError } from '../../packages/cli/src/command.ts';
import { runCli } from '../support/cli-process.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';

const names = topicNames('acl.');
const WITHOUT = 'without';

/** A role whose user lacks one operation of one of its rights. */
interface Lack {
  readonly role: Role;
  readonly user: string;
  readonly right: Right;
  readonly operation: Right['operations'][number];
}

const lacks: readonly Lack[] = ROLES.flatMap((role) =>
  rightsOf(role, names)
    .flatMap((right) => right.operations.map((operation) => ({ role, right, operation })))
    .map((lack, at) => ({ ...lack, user: `${role}_${WITHOUT}_${at}` })),
);

/** Rights of the table that the operation leaves over. */
function rightsWithout({ role, right, operation }: Lack): Right[] {
  return rightsOf(role, names).map((held) =>
    held.resource === right.resource && held.name === right.name
      ? { ...held, operations: held.operations.filter((one) => one !== operation) }
      : held,
  );
}

describe('on a cluster with an authorizer', () => {
  let broker: GuardedBroker;

  beforeAll(async () => {
    const users = [...ROLES, 'creator', ...lacks.map(({ user }) => user)];
    broker = await GuardedBroker.start({ users });
    await broker.grant([
      ...ROLES.flatMap((role) => rightsOf(role, names).map((right) => ({ user: role as string, right }))),
      ...[...rightsOf('topics', names), ...rightsToCreate(names)].map((right) => ({
        user: 'creator',
        right,
      })),
      ...lacks.flatMap((lack) => rightsWithout(lack).map((right) => ({ user: lack.user, right }))),
    ]);
  });

  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]();
  });

  const environmentOf = (user: string) => ({
    ...broker.environment(user),
    RUNLOG_TOPIC_PREFIX: 'acl.',
    RUNLOG_PARTITIONS: '2',
    RUNLOG_INGEST_PORT: '0',
    RUNLOG_GATEWAY_PORT: '0',
    RUNLOG_AGGREGATOR_PORT: '0',
  });

  async function post(address: string, run: string): Promise<Response> {
    return fetch(`${address}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: recording('short').lines.join('\n').replaceAll('"short"', `"${run}"`),
    });
  }

  it('each service and command does its work with exactly the rights that the documents name', async () => {
    const created = await runCli(['topics', '--create'], environmentOf('creator'));
    expect(created, created.stderr).toMatchObject({ code: 0 });
    await leaveOutEventsId();
    await using ingest = await ServiceProcess.start('ingest', environmentOf('ingest'));
    await using aggregator = await ServiceProcess.start('aggregator', environmentOf('aggregator'));
    await using gateway = await ServiceProcess.start('gateway', environmentOf('gateway'));
    const at = ingest.addresses.ingest!;
    expect((await post(at, 'first')).status).toBe(200);
    expect((await post(at, 'second')).status).toBe(200);
    const headers = { 'content-type': 'application/json' };
    const bad = await fetch(`${at}/v1/events`, { method: 'POST', headers, body: '{"event_type":7}' });
    expect(bad.status).toBe(422);
    await expect
      .poll(async () => (await fetch(`${gateway.addresses.gateway}/v1/runs/local/second/default`)).json())
      .toMatchObject({ total_events_received: 34 });
    await expect.poll(async () => (await runCli(['verify'], environmentOf('verify'))).code).toBe(0);
    for (const [role, ...args] of [
      ['replay', 'local/first/default'],
      ['replay', 'local/first/default', '--states'],
      ['rejected'],
      ['topics'],
      ['doctor', '--role', 'doctor'],
      ['delete', 'local/first/default'],
      ['rebuild', '--drop-old'],
    ] as const) {
      const ended = await runCli([role, ...args], environmentOf(role));
      expect(ended, `${role}: ${ended.stderr}`).toMatchObject({ code: 0 });
    }
    expect(ingest.output).toContain('run-meta lacks the id of the events topic');
    await losesAndRegains({ ingest, aggregator, gateway });
    for (const service of [ingest, aggregator, gateway]) {
      expect(await service.end('SIGTERM'), service.output).toBe(0);
    }
    await using up = await ServiceProcess.start('up', environmentOf('up'));
    expect((await post(up.addresses.ingest!, 'third')).status).toBe(200);
    expect(await up.end('SIGTERM'), up.output).toBe(0);
  });

  /** Writes `run-meta` as a build did that knew no ids. The services may not add them, and go on. */
  async function leaveOutEventsId(): Promise<void> {
    const { brokers } = broker.cluster;
    await using io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
    const { events_id, ...meta } = (await readMeta(io, names))!;
    expect(events_id).toEqual(expect.any(String));
    await using writer = await io.fencedWriter(names.meta);
    await writer.commit({ records: [{ topic: names.meta, partition: 0, records: [encodeMeta(meta, 0)] }] });
  }

  /** Takes rights from services that run, one after the other, and gives each back. */
  async function losesAndRegains(of: {
    ingest: ServiceProcess;
    aggregator: ServiceProcess;
    gateway: ServiceProcess;
  }): Promise<void> {
    const { ingest, aggregator, gateway } = of;
    const topic = (name: string, prefixed: boolean, operation: 'Read' | 'Write'): Right => ({
      ...{ resource: 'topic', name, prefixed },
      operations: [operation],
    });
    const linesOf = (service: ServiceProcess, text: string) => service.output.split(text).length - 1;
    const readyz = async (address: string) => (await fetch(`${address}/readyz`)).text();

    const write = { user: 'ingest', right: topic(names.events, false, 'Write') };
    const read = { user: 'gateway', right: topic(names.events, false, 'Read') };
    const store = { user: 'aggregator', right: topic(names.snapshots, true, 'Write') };
    await broker.revoke([write, read]);
    const refused = await post(ingest.addresses.ingest!, 'second');
    expect(refused.status).toBe(503);
    // Who may not write may not describe either, and is told so if ingest has just asked who leads the partition.
    expect(await refused.text()).toMatch(/--operation (Write|Describe) .*--topic acl\.run-events/);
    await post(ingest.addresses.ingest!, 'second');
    await expect.poll(() => linesOf(ingest, 'the log refuses events')).toBe(1);
    expect(ingest.output).toContain(`TOPIC_AUTHORIZATION_FAILED: topic ${names.events}`);
    await expect.poll(() => gateway.output).toContain('the log denies what is read');
    expect(gateway.output).toContain(`--operation Read --topic ${names.events}`);
    await expect.poll(() => readyz(gateway.addresses.gateway!)).toContain('"stalled"');

    await broker.grant([write]);
    await broker.revoke([store]);
    await expect.poll(async () => (await post(ingest.addresses.ingest!, 'fourth')).status).toBe(200);
    await expect.poll(() => readyz(aggregator.addresses.aggregator!)).toContain('TOPIC_AUTHORIZATION_FAILED');
    await expect.poll(() => linesOf(aggregator, 'the log refuses to store snapshots')).toBe(1);
    await broker.grant([read, store]);
    await expect.poll(() => aggregator.output).toContain('snapshots are stored again');
    await expect.poll(() => readyz(aggregator.addresses.aggregator!)).toContain('"ready"');
    await expect.poll(() => readyz(gateway.addresses.gateway!)).toContain('"live"');
    await expect
      .poll(async () => (await fetch(`${gateway.addresses.gateway}/v1/runs/local/fourth/default`)).status)
      .toBe(200);

    const group: Right = { resource: 'group', name: names.group, prefixed: false, operations: ['Read'] };
    await broker.revoke([{ user: 'aggregator', right: group }]);
    await expect.poll(() => readyz(aggregator.addresses.aggregator!)).toContain('GROUP_AUTHORIZATION_FAILED');
    await broker.grant([{ user: 'aggregator', right: group }]);
    await expect.poll(() => readyz(aggregator.addresses.aggregator!)).toContain('"ready"');
    for (const service of [ingest, aggregator, gateway]) {
      expect(service.output).not.toContain('does not answer');
      expect(service.output).not.toMatch(/\berror \d+/);
    }
  }

  it('a process that lacks a right does not start, and says which one, with the command', async () => {
    const [lack] = lacks.filter(({ role, operation }) => role === 'ingest' && operation === 'Write');
    const started = ServiceProcess.start('ingest', environmentOf(lack!.user));
    const said = await started.then(String, (error: Error) => error.message);
    expect(said).toContain('ingest ended (1) before it was ready');
    expect(said.split('\n').filter((line) => line.includes('TOPIC_AUTHORIZATION_FAILED'))).toEqual([
      `cannot start: write topic ${names.events}: TOPIC_AUTHORIZATION_FAILED: topic ${names.events}; ` +
        `User:${lack!.user} has no right to Write on topic ${names.events}; an administrator gives it with: ` +
        `kafka-acls.sh --bootstrap-server ${broker.brokers[0]} --command-config admin.properties --add ` +
        `--allow-principal User:${lack!.user} --operation Write --topic ${names.events}; ` +
        '"runlog doctor --role ingest" lists all that are missing',
    ]);
  });

  describe('without one of its rights', () => {
    beforeAll(() => {
      vi.spyOn(process.stdout, 'write').mockReturnValue(true);
      vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      process.setMaxListeners(0);
    });
    afterAll(() => {
      vi.restoreAllMocks();
    });

    // "up" starts the three services, whose rights are its own. "doctor" goes on, and names all that it finds.
    const roles = ROLES.filter((role) => role !== 'up' && role !== 'doctor');

    it.concurrent.each(roles)('%s ends at once, and names it', async (role) => {
      // Topics of a rebuild that is not finished are there for the next one.
      const isFirst = ({ operation }: Lack) => (operation === 'Create' ? 0 : 1);
      const ofRole = lacks.filter((lack) => lack.role === role).sort((a, b) => isFirst(a) - isFirst(b));
      for (const lack of ofRole) {
        const message = await denialOf(lack, environmentOf(lack.user));
        const wanted = `${lack.right.resource.replace('-', ' ')} ${lack.right.name}`;
        const name = `${role} without ${lack.operation} on ${wanted}`;
        expect(message, name).toContain('AUTHORIZATION_FAILED');
        // Who may not read or write, and so not describe either, is told of that first.
        expect(message, name).toMatch(new RegExp(`no right to (${lack.operation}|Describe) on ${wanted}`));
        // The right that is documented, not one to a single partition or to the topic of one rebuild.
        const { prefixed, resource } = lack.right;
        const pattern = prefixed ? '--resource-pattern-type prefixed ' : '';
        expect(message, name).toMatch(
          new RegExp(
            `kafka-acls.sh .* --operation \\w+ ${pattern}--${resource} ${lack.right.name}(?:[,;]|$)`,
          ),
        );
      }
    });
  });
});

/** Starts the role in this process. Resolves to what it ends with. */
async function denialOf({ role }: Lack, env: Record<string, string>): Promise<string> {
  switch (role) {
    case 'ingest':
      return serviceDenial(readIngestConfig(env), startIngest);
    case 'aggregator':
      return serviceDenial(readAggregatorConfig(env), startAggregator);
    case 'gateway':
      return serviceDenial(readGatewayConfig(env), startGateway);
    case 'replay':
    case 'delete':
      return commandDenial(role, ['local/second/default'], env);
    case 'rebuild':
      return commandDenial(role, ['--drop-old'], env);
    default:
      return commandDenial(role, [], env);
  }
}

async function serviceDenial<Config extends { readonly log: LogConfig }>(
  config: Config,
  start: (options: ServiceStart<Config>) => Promise<Running>,
): Promise<string> {
  const logger = createLogger({ service: 'denied', level: 'silent' });
  await using io = await openLog(config.log, { clientId: 'denied', logger });
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<string>((resolve, reject) => {
    fail = (error) => (error instanceof TopicIoError ? resolve(error.message) : reject(error));
  });
  await using running = await start({ config, io, logger, fail, ...processResources });
  return await Promise.race([failed, running.ready.then(() => 'it became ready')]);
}

async function commandDenial(name: string, args: string[], env: Record<string, string>): Promise<string> {
  const { command } = (await import(`../../packages/cli/src/commands/${name}.ts`)) as { command: Command };
  try {
    return `it ended with ${await command.run(args, env)}`;
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}
