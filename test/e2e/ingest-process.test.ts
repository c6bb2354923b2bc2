import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { startCluster } from '../support/broker.ts';
import { uniqueName } from '../support/unique-name.ts';

const main = fileURLToPath(new URL('../../services/ingest/src/main.ts', import.meta.url));

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly ingest?: string;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/**
 * Far above the eight seconds for which ingest keeps a client waiting, and far below the minutes for which a client
 * waits.
 */
const ANSWER_MS_MAX = 40_000;

/** Starts the same process as `npm run ingest`, without npm between us and its signals. */
function startProcess(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    env: { PATH: process.env.PATH ?? '', NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: LogLine[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as LogLine));
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  // We wait for 'close', not 'exit', because only then all output was read.
  const exited = once(child, 'close');
  return {
    said: (message: string) => lines.filter((line) => line.msg === message),
    errors: () => errors,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    exitCode: async () => ((await exited) as [number | null])[0],
    async address(): Promise<string> {
      await expect.poll(() => lines.some((line) => line.msg === 'ready')).toBe(true);
      return lines.find((line) => line.msg === 'ready')!.ingest!;
    },
  };
}

function environmentFor(brokers: readonly string[]): Record<string, string> {
  return {
    KAFKA_BROKERS: brokers.join(','),
    RUNLOG_INGEST_PORT: '0',
    RUNLOG_PARTITIONS: '3',
    RUNLOG_TOPIC_PREFIX: `${uniqueName('ingest')}.`,
  };
}

function post(url: string): Promise<Response> {
  return fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      event_id: randomBytes(8).toString('hex'),
      event_type: 'NOTE',
      timestamp: '2026-01-03T23:59:47Z',
      run_id: 'r1',
    }),
  });
}

describe('the ingest process', () => {
  it('reports every fault of its configuration and exits 2', async () => {
    const ingest = startProcess({ RUNLOG_INGEST_HOST: '0.0.0.0', RUNLOG_KEYS_FILE: 'keys.json' });
    expect(await ingest.exitCode()).toBe(2);
    for (const name of ['KAFKA_BROKERS is required', 'RUNLOG_KEYS_FILE=keys.json cannot be read']) {
      expect(ingest.errors()).toContain(name);
    }
  });

  it('says where it listens once it is ready, accepts events, and exits with 0 on SIGTERM', async () => {
    const ingest = startProcess(environmentFor(inject('kafkaBrokers')));
    const url = await ingest.address();
    expect((await post(url)).status).toBe(200);
    ingest.kill('SIGTERM');
    expect(await ingest.exitCode()).toBe(0);
    expect(ingest.errors()).toBe('');
  });

  it('survives its broker: it answers 503 in time, and logs one line when the outage begins and one when it is over', async () => {
    await using cluster = await startCluster({ count: 1 });
    const ingest = startProcess(environmentFor(cluster.brokers));
    const url = await ingest.address();
    expect((await post(url)).status).toBe(200);
    await cluster.kill(0, 'SIGKILL');
    const startMs = performance.now();
    const refused = await Promise.all([post(url), post(url), post(url)]);
    expect(performance.now() - startMs).toBeLessThan(ANSWER_MS_MAX);
    for (const response of refused) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([
        503,
        expect.stringMatching(/^[1-4]$/),
      ]);
      expect(await response.json()).toMatchObject({ error: { code: 'log_unavailable' } });
    }
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    await cluster.restart(0);
    await expect.poll(async () => (await post(url)).status, { interval: 500 }).toBe(200);
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { interval: 200 }).toBe(200);
    await expect
      .poll(
        async () => {
          await post(url);
          return ingest.said('the log takes events again');
        },
        { interval: 200 },
      )
      .toHaveLength(1);
    expect(ingest.said('the log does not take events; clients are asked to retry')).toHaveLength(1);
    ingest.kill('SIGTERM');
    expect(await ingest.exitCode()).toBe(0);
  });
});
