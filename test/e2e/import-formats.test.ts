import { readdirSync } from 'node:fs';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli, startCli } from '../support/cli-process.ts';
import { freePorts } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';

/** Files that TensorBoard, wandb, MLflow and pandas wrote (`npm run record-formats`). */
const fixtures = fileURLToPath(new URL('../fixtures/formats', import.meta.url));
const recorded = readdirSync(fixtures, { recursive: true, encoding: 'utf8' });
const fixture = (part: RegExp) => join(fixtures, recorded.find((path) => part.test(path))!);

let folder: string;
let env: Record<string, string>;
let settings: Record<string, string>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-formats-'));
  const [ingest, gateway] = await freePorts(2);
  settings = {
    RUNLOG_DATA_DIR: join(folder, 'log'),
    RUNLOG_INGEST_PORT: String(ingest),
    RUNLOG_GATEWAY_PORT: String(gateway),
  };
  env = {
    RUNLOG_INGEST_URL: `http://127.0.0.1:${ingest}`,
    RUNLOG_GATEWAY_URL: `http://127.0.0.1:${gateway}`,
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function shown(run: string): Promise<DeliveredSnapshot | null> {
  const answer = await fetch(`${env.RUNLOG_GATEWAY_URL}/v1/runs/local/${run}/default`).catch(() => null);
  return answer?.ok ? ((await answer.json()) as DeliveredSnapshot) : null;
}

/** Events without an id or a number, one a line. */
function linesOf(from: number, to: number): string {
  const lines: string[] = [];
  for (let n = from; n < to; n += 1) {
    const timestamp = new Date(Date.UTC(2026, 0, 5) + n * 1_000).toISOString();
    lines.push(`${JSON.stringify({ event_type: 'NOTE', run_id: 'lines', timestamp, data: { n } })}\n`);
  }
  return lines.join('');
}

const eventsOf = async (run: string) => (await shown(run))?.total_events_received ?? 0;

test('what the tools of others wrote is imported once, however often and from wherever it is imported', async () => {
  await using _up = await ServiceProcess.start('up', settings);
  const first = await runCli(['import', fixtures], env);
  expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('1 histograms') });
  const [, count] = /^(\d+) new, 0 known already/m.exec(first.stdout)!;
  // A copy has other times of its own in the file system.
  const copy = join(folder, 'copied', 'formats');
  for (const path of recorded.filter((name) => /tfevents|\.(?:csv|tsv|wandb)$/.test(name))) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await copyFile(join(fixtures, path), join(copy, path));
  }
  const again = await runCli(['import', fixtures, copy, '--cluster', 'local'], env);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('would both be the run') });
  const second = await runCli(['import', fixtures], env);
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining(`0 new, ${count} known already`) });
  const third = await runCli(['import', copy], env);
  expect(third).toMatchObject({ code: 0, stdout: expect.stringMatching(/^0 new, \d+ known already/m) });
  expect(await shown('current-good')).toMatchObject({
    ...{ status: 'finished', duplicates: 0, missing: 0, partial: false },
  });
  expect(await shown('current-bad')).toMatchObject({ status: 'failed', end: { reason: 'exit code 3' } });
  const figures = await runCli(['figures', 'tensorboard-exp-x'], env);
  expect(figures.stdout).toContain('loss/train');
});

test('a folder that grows is followed through rotation and an outage, and each event arrives once', async () => {
  const runs = join(folder, 'runs');
  await mkdir(join(runs, 'board'), { recursive: true });
  const board = await readFile(fixture(/exp-x\/events/));
  const wandb = await readFile(fixture(/current-good\.wandb$/));
  const rows = (await readFile(fixture(/comma\.csv$/), 'utf8')).split(/(?<=\n)(?=2026)/);
  const first = await ServiceProcess.start('up', settings);
  const following = startCli(['import', '--follow', runs], env);
  try {
    // The first half, cut within a record.
    const file = join(runs, 'board', 'events.out.tfevents.1.trainer');
    await writeFile(file, board.subarray(0, 2_001));
    await writeFile(join(runs, 'table.csv'), rows.slice(0, 5).join(''));
    const lines = join(runs, 'lines.jsonl');
    await writeFile(lines, linesOf(0, 10));
    await expect.poll(() => eventsOf('lines')).toBe(10);
    await expect.poll(() => eventsOf('board')).toBeGreaterThan(10);
    await expect.poll(() => eventsOf('table')).toBe(4);
    await first.end('SIGKILL');
    // While the server is away, a file grows, one is rewritten by a rename, one is rotated, and one is new.
    await appendFile(lines, linesOf(10, 20));
    await expect.poll(following.stderr).toContain('trying again');
    await appendFile(lines, linesOf(20, 30));
    await rename(lines, `${lines}.1`);
    await writeFile(lines, linesOf(40, 50));
    // Its writer has not yet opened the new one.
    await appendFile(`${lines}.1`, linesOf(30, 40));
    await appendFile(file, board.subarray(2_001, 3_333));
    await writeFile(join(runs, 'table.csv.new'), rows.join(''));
    await rename(join(runs, 'table.csv.new'), join(runs, 'table.csv'));
    await mkdir(join(runs, 'wandb', 'offline-run-1'), { recursive: true });
    await writeFile(join(runs, 'wandb', 'offline-run-1', 'run-good.wandb'), wandb.subarray(0, 40_000));
    await using _second = await ServiceProcess.start('up', settings);
    await appendFile(file, board.subarray(3_333));
    await appendFile(join(runs, 'wandb', 'offline-run-1', 'run-good.wandb'), wandb.subarray(40_000));
    await expect.poll(() => eventsOf('current-good')).toBe(67);
    await expect.poll(() => eventsOf('board')).toBe(83);
    await expect.poll(() => eventsOf('table')).toBe(12);
    await expect.poll(() => eventsOf('lines')).toBe(50);
    // It is rotated again, by a copy before it is cut.
    await appendFile(lines, linesOf(50, 60));
    await copyFile(lines, `${lines}.2`);
    await writeFile(lines, '');
    await appendFile(lines, linesOf(60, 70));
    await expect.poll(() => eventsOf('lines')).toBe(70);
    following.process.kill('SIGINT');
    expect({ code: await following.ended, stderr: following.stderr() }).toMatchObject({ code: 0 });
    for (const run of ['board', 'table', 'lines', 'current-good']) {
      expect(await shown(run)).toMatchObject({ duplicates: 0, missing: 0, unsure: 0 });
    }
    const verified = await runCli(['verify'], settings);
    expect(verified).toMatchObject({ code: 0 });
  } finally {
    following.process.kill('SIGKILL');
    await following.ended;
    await first.end('SIGKILL');
  }
});

test('a second process that follows the same folder says so', async () => {
  await writeFile(join(folder, 'lines.jsonl'), linesOf(0, 1));
  const first = startCli(['import', '--follow', folder], env);
  const second: (typeof first)[] = [];
  try {
    await expect.poll(first.stderr).toContain('following ');
    second.push(startCli(['import', '--follow', '.'], env, { folder }));
    await expect.poll(() => second[0]!.stderr()).toContain('following ');
    expect(second[0]!.stderr()).toContain(`is followed by process ${first.process.pid} as well`);
    expect(first.stderr()).not.toContain('as well');
  } finally {
    for (const each of [first, ...second]) each.process.kill('SIGKILL');
    await Promise.all([first, ...second].map((each) => each.ended));
  }
});
