import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { announceFollowing } from './other-followers.ts';

const ingestUrl = 'http://127.0.0.1:1234';
let root: string;
let folder: string;
let runs: string;
let other: ChildProcess;
let pid: number;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'runlog-others-'));
  folder = join(root, 'told');
  runs = join(root, 'runs');
  await mkdir(join(runs, 'a'), { recursive: true });
  other = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  await once(other, 'spawn');
  pid = other.pid!;
});
afterEach(async () => {
  await endOther();
  await rm(root, { recursive: true, force: true });
});

async function endOther(): Promise<void> {
  if (other.exitCode !== null || other.signalCode !== null) return;
  const ended = once(other, 'close');
  other.kill('SIGKILL');
  await ended;
}

const announce = (paths: string[], more: { pid?: number; ingestUrl?: string } = {}) =>
  announceFollowing({ paths, ingestUrl, folder, ...more });

describe('another process that follows', () => {
  test.each([
    ['the same folder', () => runs, () => runs],
    ['a folder within', () => join(runs, 'a'), () => runs],
    ['a folder around', () => runs, () => join(runs, 'a')],
    ['a folder that is not there yet', () => join(runs, 'later'), () => runs],
  ])('%s is found, and not any more when it has ended', async (_what, theirs, ours) => {
    await announce([theirs()], { pid });
    {
      await using announced = await announce([join(root, 'else'), ours()]);
      expect(announced.others).toEqual([{ pid, path: ours() }]);
    }
    await endOther();
    {
      await using announced = await announce([ours()]);
      expect(announced.others).toEqual([]);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test('is found under another name of the folder and of the server', async () => {
    await symlink(runs, join(root, 'link'));
    await announce([join(root, 'link')], { pid, ingestUrl: 'http://localhost:1234/' });
    await using announced = await announce([runs]);
    expect(announced.others).toEqual([{ pid, path: runs }]);
  });

  test('something else, or into another server, is none', async () => {
    await announce([`${runs}2`], { pid });
    await announce([runs], { pid, ingestUrl: 'http://127.0.0.1:1235' });
    await using announced = await announce([runs]);
    expect(announced.others).toEqual([]);
  });

  test('is found by at least one of two that start together', async () => {
    const both = await Promise.all([announce([runs]), announce([runs], { pid })]);
    expect(both.flatMap(({ others }) => others).length).toBeGreaterThan(0);
  });
});

test('what is no announcement is removed, and a file in place of the folder is a fault', async () => {
  await mkdir(folder);
  await writeFile(join(folder, '1-x.json'), '{"pid":0}');
  await (await announce([runs]))[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
  await writeFile(folder, '');
  await expect(announce([runs])).rejects.toThrow();
});
