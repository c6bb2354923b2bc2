import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { badStates, UnreadProcess } from '../support/bad-stream.ts';
import { runCli } from '../support/cli-process.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { freePorts } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'packages/cli/bin/runlog.js');
const both = ['stdout', 'stderr'] as const;
const services = ['up', 'ingest', 'aggregator', 'gateway'] as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-unread-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The status, or 0 if nothing answers. */
async function statusOf(url: string): Promise<number> {
  return fetch(url).then(
    (response) => response.status,
    () => 0,
  );
}

describe.each(services)('%s goes on, and ends when it is told to,', (service) => {
  it.each(badStates)('with its output %s', async (state) => {
    const [ingest, gateway, aggregator] = await freePorts(3);
    const args =
      service === 'up' ? [bin, 'up'] : ['--import', 'tsx', join(root, `services/${service}/src/main.ts`)];
    const dataFolder = await mkdtemp(join(folder, 'data-'));
    const env = {
      RUNLOG_INGEST_PORT: String(ingest),
      RUNLOG_GATEWAY_PORT: String(gateway),
      RUNLOG_AGGREGATOR_PORT: String(aggregator),
      RUNLOG_PARTITIONS: '2',
      // Has each request written to the log.
      RUNLOG_LOG_LEVEL: 'trace',
      ...(service === 'up'
        ? { RUNLOG_DATA_DIR: dataFolder }
        : {
            KAFKA_BROKERS: inject('kafkaBrokers').join(','),
            RUNLOG_TOPIC_PREFIX: `${uniqueName('unread')}.`,
          }),
    };
    const start = () => new UnreadProcess(args, { env, state, streams: both });
    const url = `http://127.0.0.1:${{ up: gateway, ingest, aggregator, gateway }[service]}`;
    await using first = start();
    await expect.poll(() => statusOf(`${url}/readyz`), { interval: 200 }).toBe(200);
    for (let request = 0; request < 20; request += 1) expect(await statusOf(`${url}/livez`)).toBe(200);
    if (state !== 'full') {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const dropped = metrics.match(/^runlog_log_lines_dropped_total (\d+)$/m);
      expect(Number(dropped?.[1])).toBeGreaterThan(0);
    }
    first.child.kill('SIGTERM');
    expect(await first.ended()).toBe(0);
    if (service !== 'up' || state !== 'full') return;
    // The folder is free again.
    await using second = start();
    await expect.poll(() => statusOf(`${url}/readyz`), { interval: 200 }).toBe(200);
    second.child.kill('SIGINT');
    expect(await second.ended()).toBe(0);
  });
});

describe('a command', () => {
  let system: ServiceProcess;
  let env: Readonly<Record<string, string>>;
  const event = (at: number) => noteText({ event_id: `e-${at}`, run_id: 'r1' });

  beforeAll(async () => {
    const dataFolder = await mkdtemp(join(folder, 'data-'));
    system = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: dataFolder });
    const { ingest, gateway } = system.addresses;
    env = { RUNLOG_INGEST_URL: ingest!, RUNLOG_GATEWAY_URL: gateway!, RUNLOG_DATA_DIR: dataFolder };
    const answer = await fetch(`${ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: Array.from({ length: 900 }, (_, at) => event(at)).join('\n'),
    });
    expect(answer.status).toBe(200);
    await vi.waitFor(async () => expect(await statusOf(`${gateway}/v1/runs/local/r1/default`)).toBe(200), {
      timeout: 30_000,
    });
  });
  afterAll(() => system[Symbol.asyncDispose]());

  const subscriptions = async () => {
    const metrics = await (await fetch(`${env.RUNLOG_GATEWAY_URL}/metrics`)).text();
    return Number(metrics.match(/^runlog_gateway_subscriptions (\d+)$/m)?.[1]);
  };
  const run = (
    args: readonly string[],
    state: (typeof badStates)[number],
    streams: readonly ('stdout' | 'stderr')[],
  ) => new UnreadProcess([bin, ...args], { env, state, streams });

  it.each([['import'], ['simulate'], ['rebuild'], ['verify'], ['keys'], ['delete'], ['topics']])(
    '%s does its work although nobody reads what it says',
    async (name) => {
      const file = join(folder, 'recorded.events.jsonl');
      const keys = join(folder, 'keys.json');
      await writeFile(
        file,
        Array.from({ length: 50 }, (_, at) => noteText({ event_id: `i-${at}`, run_id: 'imported' })).join(
          '\n',
        ),
      );
      const args: Readonly<Record<string, readonly string[]>> = {
        import: ['import', file],
        simulate: ['simulate', '--runs', '1', '--events', '50', '--seed', '7'],
        rebuild: ['rebuild'],
        verify: ['verify'],
        keys: ['keys', 'add', 'k1', '--publish', 'c1', '--file', keys],
        delete: ['delete', 'local/nothing/*'],
        topics: ['topics'],
      };
      const told = await runCli(args[name]!, env);
      const states = name === 'keys' ? (['gone'] as const) : (['gone', 'full'] as const);
      if (name === 'keys') await rm(keys, { force: true });
      for (const state of states) {
        await using unread = run(args[name]!, state, state === 'gone' ? both : ['stderr']);
        expect(await unread.ended()).toBe(told.code);
      }
    },
  );

  it.each([
    ['tail', ['tail', 'r1', '--entries', '100']],
    ['replay', ['replay']],
  ])(
    '%s ends with 0 when its reader is gone, and on SIGTERM when its reader is stuck',
    async (name, args) => {
      await using gone = run(args, 'gone', ['stdout']);
      expect(await gone.ended()).toBe(0);
      await using stuck = run(args, 'full', ['stdout']);
      if (name === 'tail') await expect.poll(() => subscriptions()).toBeGreaterThan(0);
      else await expect.poll(() => stuck.stderr).toContain('log: ');
      stuck.child.kill('SIGTERM');
      // It listens for the signal from then on, or a moment later, and until then any process ends.
      expect([0, 'SIGTERM']).toContain(await stuck.ended());
    },
  );

  it.each([['runs'], ['replay'], ['verify']])(
    '%s says that its result cannot be written, and exits with 1',
    async (name) => {
      await using unwritten = run([name], 'no space', ['stdout']);
      expect(await unwritten.ended()).toBe(1);
    },
  );
});
