import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '@runlog/service-kit/keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandError, UsageError } from '../command.ts';
import { command } from './keys.ts';
import { command as rejected } from './rejected.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const existing = JSON.stringify({
  keys: [{ id: 'a', sha256: digestOf('a'), role: 'view', runs: ['*'] }],
});
const run = (...args: string[]) => command.run(args, { RUNLOG_KEYS_FILE: path });

describe('runlog keys', () => {
  it.each([
    [[]],
    [['dance']],
    [['add']],
    [['add', 'x']],
    [['add', 'x', '--publish', 'a/b']],
    [['add', 'x', '--view', '']],
    [['add', 'x', '--view', 'c1/*', '--publish', 'c1']],
    [['add', 'x', '--view', 'c1/*', '--bytes-per-second', '5']],
    [['add', 'x', '--publish', 'c1', '--events-per-second', '0']],
    [['add', 'x', '--view', 'c1/*', '--default-run', 'r1']],
    [['add', 'x', '--publish', 'c1', '--default-run', 'r/1']],
    [['add', 'x', '--publish', 'c1', '--default-run', '']],
    [['add', 'a b', '--publish', 'c1']],
    [['revoke']],
    [['list', 'x']],
  ])('refuses the arguments %j and changes nothing', async (args) => {
    await writeFile(path, existing);
    await expect(run(...args)).rejects.toThrow(UsageError);
    expect(await readFile(path, 'utf8')).toBe(existing);
  });

  it('asks for the key file', async () => {
    await expect(command.run(['list'], {})).rejects.toThrow('RUNLOG_KEYS_FILE');
  });

  it('refuses to add an id that exists and to revoke one that does not, and changes nothing', async () => {
    await writeFile(path, existing);
    await expect(run('add', 'a', '--publish', 'c1')).rejects.toThrow(CommandError);
    await expect(run('revoke', 'b')).rejects.toThrow('there is no key b');
    expect(await readFile(path, 'utf8')).toBe(existing);
  });

  it('adds a key with the run of events that name none', async () => {
    await writeFile(path, existing);
    await expect(run('add', 'c', '--publish', 'c1', '--default-run', 'nightly')).resolves.toBe(0);
    const { keys } = JSON.parse(await readFile(path, 'utf8')) as { keys: object[] };
    expect(keys[1]).toMatchObject({ id: 'c', role: 'publish', cluster: 'c1', default_run: 'nightly' });
  });

  it('says which argument a name of a run is wrong in', async () => {
    const added = run('add', 'c', '--publish', 'c1', '--default-run', 'r/1');
    await expect(added).rejects.toThrow(/^--default-run must/);
  });

  it('does not touch a file that it cannot read, nor one that another is writing', async () => {
    await writeFile(path, 'broken');
    await expect(run('add', 'c', '--publish', 'c1')).rejects.toThrow('is not JSON');
    expect(await readFile(path, 'utf8')).toBe('broken');
    await writeFile(`${path}.new`, '');
    await expect(run('add', 'c', '--publish', 'c1')).rejects.toThrow('another "runlog keys" is at work');
  });
});

describe('runlog rejected', () => {
  it.each([[['--limit', '0']], [['--since', 'soon']], [['extra']], [['--colour']]])(
    'refuses the arguments %j',
    async (args) => {
      await expect(rejected.run(args, {})).rejects.toThrow(UsageError);
    },
  );
});
