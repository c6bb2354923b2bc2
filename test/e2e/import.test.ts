import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formerEmitterIdOf } from '@runlog/cli/import/number-lines';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CliProcess, runCli, startCli } from '../support/cli-process.ts';
import { makeKeyFile } from '../support/key-file.ts';

/** One system serves all tests, each with runs of its own. */
let folder: string;
let system: CliProcess;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-import-'));
  ({ system, env } = await startSystem('log'));
});

async function startSystem(log: string, settings: Record<string, string> = {}) {
  const started = startCli(['up'], {
    RUNLOG_DATA_DIR: join(folder, log),
    RUNLOG_INGEST_PORT: '0',
    RUNLOG_GATEWAY_PORT: '0',
    RUNLOG_AGGREGATOR_PORT: '0',
    ...settings,
  });
  const isReady = (line: string) => line.includes('"msg":"ready"');
  const ready = await vi.waitFor(
    () => started.stdout().split('\n').find(isReady) ?? Promise.reject(new Error('not ready')),
    {
      timeout: 120_000,
      interval: 50,
    },
  );
  const { ingest, gateway } = JSON.parse(ready) as { ingest: string; gateway: string };
  return { system: started, env: { RUNLOG_INGEST_URL: ingest, RUNLOG_GATEWAY_URL: gateway } };
}

afterAll(async () => {
  system.process.kill('SIGKILL');
  await system.ended;
  await rm(folder, { recursive: true, force: true });
});

function eventLine(id: string, overrides: Record<string, unknown> = {}): string {
  const second = Number(/\d+$/.exec(id)?.[0] ?? 0);
  return JSON.stringify({
    event_id: id,
    event_type: 'EPOCH_COMPLETED',
    timestamp: new Date(Date.UTC(2026, 0, 3, 10, 0, second)).toISOString(),
    data: { env_id: 0, val_accuracy: 50, val_loss: 1, inner_epoch: second },
    ...overrides,
  });
}

const linesOf = (name: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => eventLine(`${name}-${from + at}`));

async function fileOf(name: string, content: readonly string[] | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, Buffer.isBuffer(content) ? content : content.map((line) => `${line}\n`).join(''));
  return path;
}

async function publish(lines: readonly string[]): Promise<void> {
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = lines.join('\n');
  const answer = await fetch(`${env.RUNLOG_INGEST_URL}/v1/events`, { method: 'POST', headers, body });
  expect(await answer.json()).toMatchObject({ accepted: lines.length });
}

async function runOf(name: string): Promise<RunDocument> {
  return (await (
    await fetch(`${env.RUNLOG_GATEWAY_URL}/v1/runs/local/${name}/default`)
  ).json()) as RunDocument;
}

/** The ids of all events of the run that were no repeats, in order, once it has so many. */
async function idsOf(name: string, events: number): Promise<string[]> {
  const distinct = async () => {
    const run = await runOf(name);
    return run.total_events_received - run.duplicates;
  };
  await expect.poll(distinct).toBe(events);
  expect(await runOf(name)).toMatchObject({ missing: 0, unsure: 0, conflicts: 0 });
  const ids: string[] = [];
  for (let after: number | null = -1; after !== null; ) {
    const url = `${env.RUNLOG_GATEWAY_URL}/v1/runs/local/${name}/default/events?limit=1000&after=${after}`;
    const page = (await (await fetch(url)).json()) as EventsPage;
    for (const { event, duplicate } of page.events) if (duplicate === false) ids.push(String(event.event_id));
    after = page.next;
  }
  return ids;
}

describe('runlog import', () => {
  test('adds exactly the events that the run does not hold: of a recording that was resumed, and of one with the same first line', async () => {
    const first = await fileOf('first-try.jsonl', linesOf('a', 0, 1_000));
    const resumed = await fileOf('resumed.jsonl', [...linesOf('a', 0, 60), ...linesOf('b', 60, 1_100)]);
    const other = await fileOf('other.jsonl', [eventLine('a-0'), ...linesOf('c', 1, 30)]);
    expect(await runCli(['import', first, '--run', 'resumed'], env)).toMatchObject({ code: 0 });
    expect(await runCli(['import', resumed, '--run', 'resumed'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1,040 new, 60 known already'),
    });
    expect(await runCli(['import', first, other, resumed, '--run', 'resumed'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('29 new, 2,101 known already'),
    });
    const expected = [...linesOf('a', 0, 1_000), ...linesOf('b', 60, 1_100), ...linesOf('c', 1, 30)];
    expect(await idsOf('resumed', 2_069)).toEqual(expected.map((line) => JSON.parse(line).event_id));
  });

  test('names a broken file, sends what could be read, goes on with the next one, and exits 1', async () => {
    const whole = gzipSync(linesOf('g', 0, 9_000).join('\n'));
    const broken = await fileOf('broken.jsonl.gz', whole.subarray(0, Math.floor(whole.length / 2)));
    const array = await fileOf('array.json', [`[${linesOf('j', 0, 7).join(',\n')}]`]);
    const { code, stdout, stderr } = await runCli(['import', broken, array], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken\.jsonl\.gz:\d+…: unreadable: the gzip file ends in the middle/);
    expect(stderr).not.toContain('    at ');
    expect(stdout).toContain('array.json: 7 events accepted');
    expect(await idsOf('array', 7)).toHaveLength(7);
    const { total_events_received: received } = await runOf('broken');
    expect(received).toBeGreaterThan(1_000);

    const mended = await fileOf('broken.jsonl', linesOf('g', 0, 9_000));
    expect(await runCli(['import', mended], env)).toMatchObject({ code: 0 });
    const ids = await idsOf('broken', 9_000);
    expect(new Set(ids).size).toBe(9_000);
  });

  test('shows control characters and does not execute them', async () => {
    const path = await fileOf('control.jsonl', [
      eventLine('i', { timestamp: '\u001b[31m' }),
      '\u001b]0;title\u0007 garbage \u001b[31m',
    ]);
    const { code, stdout, stderr } = await runCli(['import', path], env);
    expect(code).toBe(1);
    expect(stderr).toContain('control.jsonl:2: invalid_json');
    expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('counts nothing twice if it is killed, and if it runs twice at the same moment', async () => {
    const path = await fileOf('killed.jsonl', linesOf('k', 0, 8_000));
    const killed = startCli(['import', path], env);
    await expect.poll(async () => (await runOf('killed')).total_events_received ?? 0).toBeGreaterThan(0);
    killed.process.kill('SIGKILL');
    await killed.ended;
    const both = [startCli(['import', path], env), startCli(['import', path], env)];
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([0, 0]);
    expect(await idsOf('killed', 8_000)).toEqual(
      linesOf('k', 0, 8_000).map((line) => JSON.parse(line).event_id),
    );
  });

  test('knows what an emitter sent live, and what a former version imported', async () => {
    const lines = linesOf('l', 0, 50);
    const withNumber = (line: string, at: number, emitter_id: string) =>
      JSON.stringify({ ...JSON.parse(line), run_id: 'live', emitter_id, emitter_seq: at + 1 });
    await publish(lines.slice(0, 20).map((line, at) => withNumber(line, at, 'trainer')));
    const path = await fileOf('live.jsonl', lines);
    const imported = await runCli(['import', path], env);
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining('30 new, 20 known already') });
    expect(await idsOf('live', 50)).toHaveLength(50);

    // Former versions cut the name, and numbered by the place in the file.
    const former = formerEmitterIdOf(Buffer.from(lines[0]!));
    await publish(
      lines.map((line, at) =>
        JSON.stringify({ ...JSON.parse(line), run_id: 'my-run', emitter_id: former, emitter_seq: at + 1 }),
      ),
    );
    const renamed = await fileOf('my run.jsonl', lines);
    const again = await runCli(['import', renamed], env);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('0 new, 50 known already') });
    expect(again.stderr).toContain('lines without run_id are of the run "my-run"');
  });

  test('reads standard input, and says what it needs for that', async () => {
    expect(await runCli(['import', '-'], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('name its run with --run'),
    });
    const path = await fileOf('piped.jsonl', linesOf('s', 0, 12));
    const piped = startCli(['import', '-', '--run', 'piped'], env, { input: path });
    expect(await piped.ended).toBe(0);
    expect(await idsOf('piped', 12)).toHaveLength(12);
  });

  test('sends nothing where nobody can say what the run holds', async () => {
    const path = await fileOf('away.jsonl', linesOf('w', 0, 3));
    const away = { ...env, RUNLOG_GATEWAY_URL: 'http://127.0.0.1:1' };
    expect(await runCli(['import', path], away)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('is the gateway up (RUNLOG_GATEWAY_URL)? (it says which events'),
    });
    expect(await runOf('away')).toMatchObject({ error: { code: 'no_such_run' } });
  });

  test('shows each service its own key, and learns from ingest whose cluster it is', async () => {
    await using keys = await makeKeyFile();
    const publishing = await keys.add('publish', { role: 'publish', cluster: 'c9' });
    const viewing = await keys.add('view', { role: 'view', runs: ['c9/*'] });
    const blind = await keys.add('blind', { role: 'view', runs: ['c1/*'] });
    const keyed = await startSystem('keyed-log', { RUNLOG_KEYS_FILE: keys.path });
    onTestFinished(async () => {
      keyed.system.process.kill('SIGKILL');
      await keyed.system.ended;
    });
    const path = await fileOf('keyed.jsonl', linesOf('y', 0, 9));
    const withKeys = (view: string) => ({ ...keyed.env, RUNLOG_KEY: publishing, RUNLOG_VIEW_KEY: view });
    for (const news of ['9 new, 0 known', '0 new, 9 known']) {
      expect(await runCli(['import', path], withKeys(viewing))).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(news),
      });
    }
    for (const view of [blind, publishing]) {
      expect(await runCli(['import', path], withKeys(view))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('set RUNLOG_VIEW_KEY to a key that may view'),
      });
    }
  });
});
