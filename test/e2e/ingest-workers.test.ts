import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { makeKeyFile } from '../support/key-file.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface WorkerLine {
  readonly worker: number;
  readonly workerPid: number;
}

async function start(env: Readonly<Record<string, string>> = {}) {
  const ingest = await ServiceProcess.start('ingest', {
    KAFKA_BROKERS: inject('kafkaBrokers').join(','),
    RUNLOG_PARTITIONS: '3',
    RUNLOG_TOPIC_PREFIX: `${uniqueName('workers')}.`,
    RUNLOG_WORKERS: '2',
    ...env,
  });
  open.push(ingest);
  const lines = () =>
    ingest.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { msg: string } & WorkerLine);
  return {
    ingest,
    url: ingest.addresses.ingest!,
    said: (message: string) => lines().filter(({ msg }) => msg === message),
    workerPids: () => lines().flatMap(({ msg, workerPid }) => (msg === 'a worker begins' ? [workerPid] : [])),
  };
}

function bodyOf(events: number): string {
  return Array.from({ length: events }, () =>
    JSON.stringify({
      event_id: randomBytes(8).toString('hex'),
      event_type: 'NOTE',
      timestamp: '2026-01-03T23:59:47Z',
      run_id: 'r1',
    }),
  ).join('\n');
}

/** Sends over a connection of its own, because connections are what is dealt out to the workers. */
function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}/v1/events`,
      {
        agent: new Agent({ keepAlive: false }),
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson', ...headers },
      },
      (answer: IncomingMessage) => answer.resume().once('end', () => resolve(answer.statusCode ?? 0)),
    );
    sent.once('error', reject).end(body);
  });
}

async function figure(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('ingest with RUNLOG_WORKERS=2', () => {
  it('is one service: one port, one ready line, the figures of all, and SIGTERM ends everything with 0', async () => {
    const { ingest, url, said, workerPids } = await start();
    expect(said('ready')).toHaveLength(1);
    const statuses = await Promise.all(Array.from({ length: 8 }, () => post(url, bodyOf(5))));
    expect(statuses).toEqual(Array(8).fill(200));
    expect(await figure(url, 'runlog_ingest_events_accepted_total')).toBe(40);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const worker of ['1', '2'])
      expect(metrics).toContain(`process_resident_memory_bytes{worker="${worker}"}`);
    const pids = workerPids();
    expect(new Set(pids)).toHaveProperty('size', 2);
    expect(await ingest.end('SIGTERM')).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('replaces a worker that is killed, and the others serve meanwhile', async () => {
    const { url, said, workerPids } = await start();
    const [first, second] = workerPids();
    process.kill(first!, 'SIGKILL');
    await expect.poll(() => said('a worker was ended; another one begins')).toHaveLength(1);
    expect(await post(url, bodyOf(1))).toBe(200);
    await expect.poll(() => workerPids()).toHaveLength(3);
    process.kill(second!, 'SIGKILL');
    await expect.poll(() => workerPids()).toHaveLength(4);
    await expect.poll(() => post(url, bodyOf(1)).catch(() => 0)).toBe(200);
  });

  it('leaves no worker behind when it is killed itself', async () => {
    const { ingest, workerPids } = await start();
    await ingest.end('SIGKILL');
    await expect.poll(() => workerPids().filter(isAlive)).toEqual([]);
  });

  it('has one quota, whichever worker a connection reaches', async () => {
    const keys = await makeKeyFile();
    open.push(keys);
    const secret = await keys.add('limited', { role: 'publish', cluster: 'c1', events_per_second: 1 });
    const { url } = await start({ RUNLOG_KEYS_FILE: keys.path });
    const authorization = `Bearer ${secret}`;
    // The debt of these 900 events takes 15 minutes, for both workers alike once they have told each other.
    expect(await post(url, bodyOf(900), { authorization })).toBe(200);
    const four = () => Promise.all(Array.from({ length: 4 }, () => post(url, bodyOf(1), { authorization })));
    await expect.poll(four).toEqual([429, 429, 429, 429]);
  });

  it('says a wrong configuration, and a port that is taken, once', async () => {
    const { url } = await start();
    const failed = async (env: Record<string, string>) => (await start(env).catch(String)) as string;
    expect(await failed({ RUNLOG_WORKERS: '0' })).toMatch(
      /ended \(2\)[\s\S]*RUNLOG_WORKERS must be a whole number from 1 to 64/,
    );
    const taken = await failed({ RUNLOG_INGEST_PORT: new URL(url).port });
    expect(taken).toMatch(/ended \(1\)/);
    expect(taken.match(/is in use/g)).toHaveLength(1);
  });
});
