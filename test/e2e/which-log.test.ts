import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const RUN = 'local/short/default';

/** Every command that reads or writes the log itself. The one that deletes comes last. */
const COMMANDS = [
  ['verify', '--json'],
  ['replay', RUN],
  ['rejected', '--json'],
  ['topics', '--json'],
  ['rebuild', '--json'],
  ['delete', RUN, '--json'],
];
const WRITING = [
  ['delete', RUN],
  ['rebuild', '--drop-old'],
];

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'runlog-which-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Starts `runlog up` in the folder, with a run whose snapshot is stored. */
async function filled(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  const up = await ServiceProcess.start('up', env, { folder });
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: recording('short').lines.join('\n'),
  });
  expect(response.status).toBe(200);
  await expect.poll(async () => (await runCli(['verify'], env, { folder })).code).toBe(0);
  return up;
}

/** Returns the lines of stderr that say which log it is. */
function logLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('log: '));
}

describe('which log a command touches', () => {
  it('is said on stderr, once, with the real folder, beside the process that owns it', async () => {
    await using up = await filled();
    const line = `log: folder ${folder}/.runlog, topic run-events`;
    expect(logLines(up.output)).toEqual([line]);
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await runCli(args, {}, { folder });
      expect({ args, code, said: logLines(stderr) }).toEqual({ args, code: 0, said: [line] });
      expect(stderr.indexOf('log: ')).toBe(0);
      expect(stdout).not.toContain('log: ');
      // The output is one record per line, or one document.
      const json = args[0] === 'replay' ? stdout.split('\n')[0]! : stdout === '' ? 'null' : stdout;
      expect(() => JSON.parse(json), `${args}: ${stdout}`).not.toThrow();
    }
  });

  it('is said with the brokers and the prefix of the topics', async () => {
    const brokers = inject('kafkaBrokers').join(',');
    const prefix = `${uniqueName('which')}-`;
    const env = { KAFKA_BROKERS: brokers, RUNLOG_TOPIC_PREFIX: prefix };
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await runCli(args, env, { folder });
      const said = [`log: brokers ${brokers}, topic ${prefix}run-events`];
      expect({ args, code, said: logLines(stderr) }).toEqual({ args, code: 1, said });
      if (args[0] !== 'topics') expect(stdout).toBe('');
    }
  });
});

describe('runlog delete and runlog rebuild', () => {
  it('leave a left-over ./.runlog alone until they are told that it is meant', async () => {
    {
      await using up = await filled();
      expect(await up.end('SIGTERM')).toBe(0);
    }
    for (const args of WRITING) {
      const { code, stdout, stderr } = await runCli(args, {}, { folder });
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toContain(`\n  RUNLOG_DATA_DIR=./.runlog npx runlog ${args.join(' ')}\n`);
      expect(stderr).toContain(`\n  KAFKA_BROKERS=host:9092 npx runlog ${args.join(' ')}\n`);
    }
    const { code, stdout } = await runCli(['verify', '--json'], {}, { folder });
    expect({ code, report: JSON.parse(stdout) }).toMatchObject({ code: 0, report: { compared: 1 } });
    for (const args of [...WRITING].reverse()) {
      const told = await runCli(args, { RUNLOG_DATA_DIR: './.runlog' }, { folder });
      expect({ args, ...told }).toMatchObject({ args, code: 0 });
    }
  });

  it('make no ./.runlog if there is none', async () => {
    for (const args of WRITING) {
      expect(await runCli(args, {}, { folder })).toMatchObject({ code: 2, stdout: '' });
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('accept RUNLOG_ENGINE=embedded as an answer', async () => {
    const said = await runCli(['delete', RUN], { RUNLOG_ENGINE: 'embedded' }, { folder });
    expect(said).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no run-meta') });
  });
});
