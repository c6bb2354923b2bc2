import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';

const PRESENT = 'local/short/default';
const ABSENT = 'local/absent/default';

let folder: string;
let up: ServiceProcess;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-absent-'));
  up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
  env = { RUNLOG_DATA_DIR: folder, RUNLOG_GATEWAY_URL: up.addresses.gateway! };
  await publish(recording('short').lines);
});
afterAll(async () => {
  await up?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function publish(lines: readonly string[]): Promise<void> {
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  expect(response.status).toBe(200);
}

describe('a run that does not exist', () => {
  it.each([
    [[ABSENT], `there is no run ${ABSENT} in this log`],
    [[ABSENT, '--states'], `there is no run ${ABSENT} in this log`],
    [['c9/*'], 'no run in this log matches "c9/*"'],
    [['short'], 'there is no run short in this log; write cluster/run/group, or a glob such as "*/short/*"'],
    [
      ['local/short'],
      'there is no run local/short in this log; write cluster/run/group, or a glob such as "local/short/*"',
    ],
    [[PRESENT, '--from', '1000000'], `${PRESENT} has no record in this range`],
    [['--to', '2001-01-01T00:00:00Z'], 'there is no record in this range'],
    [['c9/*', '--states', '--to', '1'], 'no run that matches "c9/*" has a record in this range'],
  ])('is named by "runlog replay %j"', async (args, message) => {
    const { code, stdout, stderr } = await runCli(['replay', ...args], env);
    expect({ code, stdout, said: stderr.split('\n').slice(1) }).toEqual({
      ...{ code: 1, stdout: '' },
      said: [`runlog replay: ${message}`, ''],
    });
  });

  it('is not reported as absent by "runlog replay" if it exists', async () => {
    for (const args of [[], [PRESENT], ['*/short/*', '--states'], [PRESENT, '--from', '3']]) {
      const { code, stderr } = await runCli(['replay', ...args], env);
      expect({ args, code, lines: stderr.split('\n').length }).toEqual({ args, code: 0, lines: 2 });
    }
  });

  it('is waited for by "runlog tail", which says so', async () => {
    const tail = startCli(['tail', 'local/late/default', '--json'], env);
    try {
      await expect.poll(tail.stderr).toBe('there is no run local/late/default yet; waiting for it\n');
      expect(tail.stdout()).toBe('');
      const event = { ...(JSON.parse(recording('short').lines[0]!) as object), run_id: 'late' };
      await publish([JSON.stringify(event)]);
      await expect.poll(tail.stdout).toMatch(/^\{.*\}\n$/);
      tail.process.kill('SIGINT');
      expect(await tail.ended).toBe(0);
      expect(tail.stderr()).toBe('there is no run local/late/default yet; waiting for it\n');
    } finally {
      tail.process.kill('SIGKILL');
      await tail.ended;
    }
  });
});
