import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';

const client = fileURLToPath(new URL('../../clients/python', import.meta.url));

/** How much of the training loop's fifteen seconds may pass while the server is away. */
const SPOOLING_MS_MAX = 3_000;

const FILES_AT_ONCE = 3;

interface Python {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

let folder: string;
let children: Python[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-python-'));
  children = [];
});

afterEach(async () => {
  for (const child of children) child.process.kill('SIGKILL');
  await Promise.all(children.map((child) => child.ended));
  await rm(folder, { recursive: true, force: true });
});

function python(args: readonly string[], env: Readonly<Record<string, string>> = {}): Python {
  const child = spawn('python3', args, {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      RUNLOG_SPOOL_DIR: join(folder, 'spool'),
      PYTHONDONTWRITEBYTECODE: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
    child.once('error', (cause) =>
      reject(
        new Error('python3 (3.9 or newer) must be in the PATH for the tests of clients/python', { cause }),
      ),
    );
  });
  const started = { process: child, stdout: () => stdout, stderr: () => stderr, ended };
  children.push(started);
  return started;
}

/** The emitter's counts, which the example prints at its end. */
interface Counted {
  readonly emitted: number;
  readonly numbered: number;
  readonly accepted: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly segments: number;
}

async function snapshotOf(gateway: string, run: string): Promise<DeliveredSnapshot> {
  const response = await fetch(`${gateway}/v1/runs/local/${run}/default`);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as DeliveredSnapshot;
}

describe('clients/python', () => {
  test('python3 is 3.9 or newer', async () => {
    const child = python(['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
    expect(await child.ended, 'python3 must be 3.9 or newer for the tests of clients/python').toBe(0);
  });

  test('its own tests pass', { timeout: 900_000 }, async () => {
    const tests = join(client, 'tests');
    const files = (await readdir(tests)).filter((name) => /^test_.*\.py$/.test(name));
    // Most of their time is spent waiting for processes that end.
    const left = [...files];
    const runThem = async () => {
      for (let file = left.shift(); file !== undefined; file = left.shift()) {
        const child = python(['-m', 'unittest', 'discover', '-s', tests, '-p', file]);
        const code = await child.ended;
        expect(code, child.stderr()).toBe(0);
        expect(child.stderr(), file).toMatch(/Ran \d+ tests?[\s\S]*\nOK\s*$/);
      }
    };
    expect(files.length).toBeGreaterThan(5);
    await Promise.all(Array.from({ length: FILES_AT_ONCE }, runThem));
  });

  test('the examples run against a server, and all ranks of one are one run', async () => {
    await using server = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: join(folder, 'log') });
    const env = { RUNLOG_INGEST_URL: server.addresses.ingest! };
    const children = [
      python([join(client, 'examples/pytorch_callback.py')], { ...env, RUNLOG_RUN: 'callback' }),
      python([join(client, 'examples/ranks.py'), '--ranks', '3'], { ...env, RUNLOG_RUN: 'ranks' }),
    ];
    for (const child of children) {
      expect(await child.ended, child.stderr()).toBe(0);
      expect(child.stderr()).toBe('');
    }
    const { gateway } = server.addresses;
    const callback = () => snapshotOf(gateway!, 'callback');
    const ranks = () => snapshotOf(gateway!, 'ranks');
    await expect.poll(callback).toMatchObject({ status: 'finished', missing: 0 });
    // Three starts and ends, and 50 steps of each.
    const counts = { TRAINING_STARTED: 1, RANK_STARTED: 2, METRICS: 150, RUN_FINISHED: 1, RANK_FINISHED: 2 };
    await expect.poll(ranks).toMatchObject({ status: 'finished', attempt: 1, missing: 0, counts });
    const emitters = Object.keys((await ranks()).emitters).map((name) => name.split('-')[0]);
    expect(emitters.sort()).toEqual(['r0', 'r1', 'r2']);
    const figures = async () => {
      const response = await fetch(`${gateway}/v1/runs/local/ranks/default/figures`);
      return ((await response.json()) as { figures: { name: string }[] }).figures.map(({ name }) => name);
    };
    await expect
      .poll(async () => (await figures()).toSorted())
      .toEqual(['loss', 'norm/rank0', 'norm/rank1', 'norm/rank2']);
  });

  test('a rank that was cut off and whose spool is drained when the run has ended leaves it ended', async () => {
    await using server = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: join(folder, 'log') });
    const { ingest, gateway } = server.addresses as { ingest: string; gateway: string };
    const [nobody] = await freePorts(1);
    const ranks = `
import runlog
options = runlog.Options(away_after=0.1, exit_timeout=1.0, backoff_max=0.3)
cut_off = runlog.start('two-ranks', url='http://127.0.0.1:${nobody}', options=options)
first = runlog.start('two-ranks', url='${ingest}', spool=False)
for index in range(5):
    for run in (first, cut_off): run.epoch_completed(env_id=0, val_accuracy=50.0, val_loss=1.0, inner_epoch=index)
cut_off.close()
first.finish(timeout=60)
`;
    const trained = python(['-c', ranks], { PYTHONPATH: client });
    expect(await trained.ended, trained.stderr()).toBe(0);
    await expect
      .poll(() => snapshotOf(gateway, 'two-ranks').catch(() => null))
      .toMatchObject({ status: 'finished', total_events_received: 6 });
    const drained = python(['-m', 'runlog', 'drain', '--url', ingest], { PYTHONPATH: client });
    expect(await drained.ended, drained.stderr()).toBe(0);
    expect(drained.stdout()).toMatch(/^5 events accepted, 0 rejected, 0 segments left/);
    await expect
      .poll(() => snapshotOf(gateway, 'two-ranks'))
      .toMatchObject({ status: 'finished', total_events_received: 11, missing: 0, duplicates: 0 });
  });

  test('a training loop loses nothing while the server is killed twice and started again', async () => {
    const run = 'killed-server';
    const env = { RUNLOG_DATA_DIR: join(folder, 'log') };
    const [ingestPort, gatewayPort] = await freePorts(2);
    const sameAddresses = {
      ...env,
      RUNLOG_INGEST_PORT: String(ingestPort),
      RUNLOG_GATEWAY_PORT: String(gatewayPort),
    };
    let server = await ServiceProcess.start('up', sameAddresses);
    const { ingest, gateway } = server.addresses as { ingest: string; gateway: string };
    try {
      const loop = python(
        [join(client, 'examples/training_loop.py'), '--run', run, '--events', '20000', '--step', '0.003'],
        { RUNLOG_INGEST_URL: ingest },
      );
      const received = async () => (await snapshotOf(gateway, run)).total_events_received;
      for (const eventsBefore of [1_000, 6_000]) {
        await vi.waitFor(async () => expect(await received()).toBeGreaterThan(eventsBefore), {
          timeout: 60_000,
          interval: 20,
        });
        expect(loop.process.exitCode, 'the loop must still run when the server is killed').toBeNull();
        await server.end('SIGKILL');
        // The loop continues into its spool, but not to its end, however long the start takes.
        const held = setTimeout(() => loop.process.kill('SIGSTOP'), SPOOLING_MS_MAX);
        server = await ServiceProcess.start('up', sameAddresses);
        clearTimeout(held);
        loop.process.kill('SIGCONT');
      }
      expect(await loop.ended, loop.stderr()).toBe(0);
      const counted = JSON.parse(loop.stdout()) as Counted;
      expect(counted.emitted).toBe(20_002);
      expect(Object.values(counted.lost)).toEqual(Object.values(counted.lost).map(() => 0));
      expect(counted.segments).toBe(0);
      await vi.waitFor(
        async () => {
          const snapshot = await snapshotOf(gateway, run);
          expect(snapshot).toMatchObject({ status: 'finished', missing: 0, unsure: 0 });
          expect(snapshot.total_events_received - snapshot.duplicates).toBe(counted.numbered);
        },
        { timeout: 60_000, interval: 100 },
      );
      const { counts } = await snapshotOf(gateway, run);
      const { RUN_HEARTBEAT: heartbeats = 0, ...others } = counts;
      expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(counted.emitted);
      expect(counted.numbered).toBe(counted.emitted + heartbeats);
    } finally {
      await server.end('SIGKILL');
    }
  });
});
