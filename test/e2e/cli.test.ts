import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { DeliveredSnapshot, RunRow } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CliProcess, runCli, startCli } from '../support/cli-process.ts';
import { countersOf, plainEntries, recording } from '../support/recordings.ts';

/** A generous bound for a cold start of TypeScript on two cores. A test waits only as long as it takes. */
const READY_MS_MAX = 120_000;

let folder: string;
let processes: CliProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-cli-'));
  processes = [];
});

afterEach(async () => {
  for (const started of processes) started.process.kill('SIGKILL');
  await Promise.all(processes.map((started) => started.ended));
  await rm(folder, { recursive: true, force: true });
});

interface Up extends CliProcess {
  /** The environment for commands that talk to it. */
  readonly env: Readonly<Record<string, string>>;
}

function upEnvironment(overrides: Record<string, string> = {}): Record<string, string> {
  return {
    RUNLOG_DATA_DIR: join(folder, 'log'),
    RUNLOG_INGEST_PORT: '0',
    RUNLOG_GATEWAY_PORT: '0',
    RUNLOG_AGGREGATOR_PORT: '0',
    RUNLOG_SNAPSHOT_INTERVAL_MS: '100',
    ...overrides,
  };
}

async function up(overrides: Record<string, string> = {}): Promise<Up> {
  const started = startCli(['up'], upEnvironment(overrides));
  processes.push(started);
  const said = vi.waitFor(
    () => {
      const line = started
        .stdout()
        .split('\n')
        .find((candidate) => candidate.includes('"msg":"ready"'));
      if (line === undefined) throw new Error(`not ready:\n${started.stdout()}${started.stderr()}`);
      return JSON.parse(line) as { level: number; ingest: string; gateway: string };
    },
    { timeout: READY_MS_MAX, interval: 50 },
  );
  const failed = started.ended.then((code) => {
    throw new Error(`ended with ${code} instead of getting ready:\n${started.stdout()}${started.stderr()}`);
  });
  failed.catch(() => {});
  const ready = await Promise.race([said, failed]);
  expect(ready.level).toBe(30);
  return { ...started, env: { RUNLOG_INGEST_URL: ready.ingest, RUNLOG_GATEWAY_URL: ready.gateway } };
}

function fixture(name: 'short' | 'one-env'): string {
  return fileURLToPath(new URL(`../fixtures/${name}.events.jsonl`, import.meta.url));
}

/** Returns the run once the expected number of events has arrived. */
async function shown(env: Up['env'], run: string, events: number): Promise<DeliveredSnapshot> {
  return vi.waitFor(
    async () => {
      const { code, stdout, stderr } = await runCli(['show', run, '--json'], env);
      if (code !== 0) throw new Error(stderr);
      const snapshot = JSON.parse(stdout) as DeliveredSnapshot;
      expect(snapshot.total_events_received).toBe(events);
      return snapshot;
    },
    { timeout: 60_000, interval: 100 },
  );
}

/** Removes the fields that depend on the present time. */
function lasting(snapshot: DeliveredSnapshot): unknown {
  const still = (entries: DeliveredSnapshot['event_log']) =>
    entries.map(({ relative_time: _, ...entry }) => entry);
  const { freshness: _, state: _state, event_log, milestones, ...rest } = snapshot;
  return { ...rest, event_log: still(event_log), milestones: still(milestones) };
}

function eventLine(id: number, overrides: Record<string, unknown> = {}): string {
  const event = {
    event_id: `e-${id}`,
    event_type: 'EPOCH_COMPLETED',
    timestamp: '2025-12-05T00:11:37.632146+00:00',
    data: { env_id: id % 4, val_accuracy: 50, val_loss: 1, inner_epoch: id },
    ...overrides,
  };
  return `${JSON.stringify(event)}\n`;
}

describe('runlog up', () => {
  test('shows imported recordings as the original system did, once, even if they are imported again or the process is killed', async () => {
    const first = await up();
    const runs = (['short', 'one-env'] as const).map((name) => {
      const { lines, expected } = recording(name);
      return { name, lines: lines.length, expected: expected.default! };
    });
    const files = runs.map(({ name }) => fixture(name));
    expect(await runCli(['import', ...files], first.env)).toMatchObject({ code: 0 });
    for (const run of runs) {
      const snapshot = await shown(first.env, `local/${run.name}`, run.lines);
      expect(countersOf({ ...snapshot, task_name: snapshot.task_name ?? '' })).toEqual(
        countersOf(run.expected),
      );
      expect(plainEntries(snapshot.event_log)).toEqual(run.expected.event_log);
      expect(snapshot).toMatchObject({ duplicates: 0, missing: 0, unsure: 0 });
    }

    const again = await runCli(['import', ...files], first.env);
    expect(again.code).toBe(0);
    const total = runs.reduce((sum, run) => sum + run.lines, 0);
    expect(again.stdout).toContain(`0 new, ${total} known already`);
    const before = [];
    for (const run of runs) {
      const snapshot = await shown(first.env, `local/${run.name}`, run.lines);
      expect(snapshot).toMatchObject({ duplicates: 0, missing: 0, unsure: 0 });
      expect(plainEntries(snapshot.event_log)).toEqual(run.expected.event_log);
      before.push(lasting(snapshot));
    }

    first.process.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    const second = await up();
    for (const [at, run] of runs.entries()) {
      expect(lasting(await shown(second.env, `local/${run.name}`, run.lines))).toEqual(before[at]);
    }
    second.process.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  test('accepts the event of the command that it prints', async () => {
    const started = await up();
    expect(started.stderr()).toContain('npx runlog simulate');
    const command = /^ +(curl [\s\S]*?\}'$)/m.exec(started.stderr())![1]!;
    // The shell parses the command as it would for curl, which need not be installed.
    const told = await promisify(execFile)('sh', ['-c', `curl() { printf '%s\\0' "$@"; }; ${command}`]);
    const [silent, url, option, header, data, body] = told.stdout.split('\0');
    expect([silent, option, header, data]).toEqual(['-sS', '-H', 'content-type: application/json', '-d']);
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url!, { method: 'POST', headers, body: body! });
    expect(await answer.json()).toMatchObject({ accepted: 1, rejected: 0 });
    await shown(started.env, 'hello', 1);
    const hello = await fetch(`${started.env.RUNLOG_GATEWAY_URL}/v1/hello`);
    expect(await hello.json()).toMatchObject({ ingest_url: started.env.RUNLOG_INGEST_URL });
  });

  test('names the variable of a port that is in use, and exits 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    try {
      for (const name of ['RUNLOG_INGEST_PORT', 'RUNLOG_GATEWAY_PORT', 'RUNLOG_AGGREGATOR_PORT']) {
        const { code, stderr } = await runCli(['up'], upEnvironment({ [name]: String(port) }));
        expect({ code, stderr }).toEqual({
          code: 1,
          stderr: expect.stringMatching(new RegExp(`cannot start: port ${port} .* set ${name} `)),
        });
      }
    } finally {
      holder.close();
    }
  });

  test('says who uses the data folder, and exits 1', async () => {
    const first = await up();
    const { code, stderr } = await runCli(['up'], upEnvironment());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^cannot start: .* is in use by process \d+/m);
    expect(stderr).toContain(String(first.process.pid));
  });

  test('lists every fault of the configuration, and exits 2', async () => {
    const { code, stderr, stdout } = await runCli(
      ['up'],
      upEnvironment({ RUNLOG_INGEST_PORT: 'x', RUNLOG_PARTITIONS: '0', RUNLOG_GATEWAY_HOST: '0.0.0.0' }),
    );
    expect(code).toBe(2);
    for (const name of ['RUNLOG_INGEST_PORT', 'RUNLOG_PARTITIONS', 'RUNLOG_GATEWAY_HOST']) {
      expect(stderr).toContain(`  - ${name}`);
    }
    expect(stdout).toBe('');
  });
});

describe('runlog import', () => {
  test('adds only the new lines of a file that has grown, names the run after it, and reads gzip', async () => {
    const { env } = await up();
    const lines = Array.from({ length: 2_500 }, (_, at) => eventLine(at));
    const path = join(folder, '2025-12-05_111053.events.jsonl');
    await writeFile(path, lines.slice(0, 1_200).join(''));
    expect(await runCli(['import', path], env)).toMatchObject({ code: 0 });
    await shown(env, '2025-12-05_111053', 1_200);
    await writeFile(`${path}.gz`, gzipSync(lines.join('')));
    const grown = await runCli(['import', `${path}.gz`], env);
    expect(grown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1,300 new, 1,200 known already'),
    });
    const snapshot = await shown(env, '2025-12-05_111053', 2_500);
    expect(snapshot).toMatchObject({ duplicates: 0, missing: 0, unsure: 0 });
  });

  test('reports each broken line by its place, sends the rest, and exits 1', async () => {
    const { env } = await up();
    const path = join(folder, 'broken.jsonl');
    const lines = [
      eventLine(1),
      'no json\n',
      '\n',
      eventLine(2, { timestamp: 'yesterday' }),
      eventLine(3),
      '{"event_id":',
    ];
    await writeFile(path, lines.join(''));
    const { code, stderr } = await runCli(
      ['import', path, '--run', 'mended', '--cluster', 'c7', '--group', 'B'],
      env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain(`${path}:2: invalid_json: `);
    expect(stderr).toContain(`${path}:4: schema: timestamp must be ISO 8601`);
    expect(stderr).toMatch(new RegExp(`${path}:6: invalid_json: .*still being written`));
    expect(await shown(env, 'c7/mended/B', 2)).toMatchObject({ missing: 0, duplicates: 0 });
  });

  test('accepts bare NaN as the trainers write it', async () => {
    const { env } = await up();
    const path = join(folder, 'nan.jsonl');
    await writeFile(path, eventLine(1).replace('"val_loss":1', '"val_loss":NaN'));
    const { code, stdout } = await runCli(['import', path], env);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('1 with bare NaN or Infinity'),
    });
  });

  test('plays a recording at its own pace', async () => {
    const { env } = await up();
    const path = join(folder, 'paced.jsonl');
    const at = (second: number) => ({ timestamp: `2025-12-05T00:11:${String(second).padStart(2, '0')}Z` });
    await writeFile(path, [0, 10, 20, 30].map((second) => eventLine(second, at(second))).join(''));
    const startedAtMs = performance.now();
    expect(await runCli(['import', path, '--speed', '20x'], env)).toMatchObject({ code: 0 });
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_500);
    await shown(env, 'paced', 4);
  });

  test('refuses a path that is not a file, and two files that would be one run', async () => {
    const one = join(folder, 'run.jsonl');
    const empty = join(folder, 'empty');
    await mkdir(empty);
    await copyFile(fixture('short'), one);
    await copyFile(fixture('short'), join(folder, 'run.events.jsonl'));
    const cases = [
      { args: [], says: 'name at least one file' },
      { args: [empty], says: 'nothing in this folder can be imported' },
      { args: [folder], says: 'would both be the run "run"' },
      { args: [one, '--follow', '--speed', '2x'], says: '--follow and --speed cannot be combined' },
      { args: ['-', '--follow'], says: 'standard input cannot be followed' },
      { args: [join(folder, 'nothing.jsonl')], says: 'no such file' },
      { args: [one, join(folder, 'run.events.jsonl')], says: 'would both be the run "run"' },
      { args: [one, '--speed', 'fast'], says: '--speed must be' },
      { args: [one, '--run', 'a/b'], says: '--run must be' },
    ];
    for (const { args, says } of cases) {
      const { code, stderr } = await runCli(['import', ...args]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(says) });
    }
  });
});

describe('runlog simulate and tail', () => {
  test('every simulated event arrives once, and a run can be followed to its end', async () => {
    const { env } = await up();
    const simulation = startCli(['simulate', '--rate', '400', '--runs', '4'], env);
    processes.push(simulation);
    const row = await vi.waitFor(
      async () => {
        const { stdout } = await runCli(['runs', '--json'], env);
        const rows = stdout.split('\n').filter((line) => line !== '');
        expect(rows.length).toBeGreaterThanOrEqual(4);
        return JSON.parse(rows[0]!) as RunRow;
      },
      { timeout: 60_000, interval: 100 },
    );
    const key = `${row.cluster_id}/${row.run_id}/${row.group_id}`;
    const follower = startCli(['tail', key, '--json', '--entries', '100', '--until-end'], env);
    processes.push(follower);
    await vi.waitFor(() => expect(follower.stdout().split('\n').length).toBeGreaterThan(50), {
      timeout: 60_000,
      interval: 50,
    });
    simulation.process.kill('SIGINT');
    expect(await simulation.ended).toBe(0);
    const sent = Number(/([\d,]+) accepted/.exec(simulation.stdout())![1]!.replaceAll(',', ''));
    await vi.waitFor(
      async () => {
        const { stdout } = await runCli(['runs', '--json', '--limit', '1000'], env);
        const rows = stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as RunRow);
        expect(rows.reduce((sum, each) => sum + each.total_events_received, 0)).toBe(sent);
        for (const each of rows) expect(each).toMatchObject({ duplicates: 0, missing: 0 });
      },
      { timeout: 60_000, interval: 100 },
    );
    expect([0, 1]).toContain(await follower.ended);
    const seqs = follower
      .stdout()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  });
});

describe('the command line', () => {
  test('explains every command that it lists', async () => {
    const { code, stdout } = await runCli(['help']);
    expect(code).toBe(0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1]!);
    expect(names).toEqual(
      expect.arrayContaining(['up', 'simulate', 'import', 'runs', 'show', 'tail', 'topics']),
    );
    for (const name of names) {
      const help = await runCli([name, '--help']);
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(help.stdout).toContain(`Usage: runlog ${name}`);
      expect(help.stdout).toContain('Examples:');
    }
  });

  test('prints its version', async () => {
    const manifest = JSON.parse(
      await readFile(new URL('../../packages/cli/package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  test('suggests the command that was meant, and exits 2', async () => {
    const { code, stderr } = await runCli(['improt']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('Did you mean "runlog import"?'),
    });
    expect(await runCli(['runs', '--jsno'])).toMatchObject({ code: 2 });
  });

  test('exits 3 and names the address where no gateway answers', async () => {
    const { code, stderr } = await runCli(['runs'], { RUNLOG_GATEWAY_URL: 'http://127.0.0.1:1' });
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('http://127.0.0.1:1') });
  });
});
