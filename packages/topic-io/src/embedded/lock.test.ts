import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TopicIoError } from '../topic-io.ts';
import { checkReadableBeside, lockFolder } from './lock.ts';
import { type OwnerIdentity, thisProcess } from './owner.ts';
import { listenAsOwner } from './owner-socket.ts';

async function temporaryFolder(name = 'runlog-lock-'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), name));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const dead: OwnerIdentity = { ...thisProcess(), processStart: '1' };

describe('the lock of a folder', () => {
  it('is held by one process until it is released', async () => {
    const folder = await temporaryFolder();
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
    await lock[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
    await using again = await lockFolder(folder);
    expect(again.owner.pid).toBe(process.pid);
  });

  it('says who holds it and what to do', async () => {
    const folder = await temporaryFolder();
    await using lock = await lockFolder(folder);
    const refusal = await lockFolder(folder).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TopicIoError);
    const { message } = refusal as TopicIoError;
    expect(message).toContain(folder);
    expect(message).toContain(`process ${process.pid} on host ${lock.owner.host}`);
    expect(message).toContain('stop that process');
  });

  it('goes to exactly one of many contenders, in every round', async () => {
    const folder = await temporaryFolder();
    for (let round = 0; round < 10; round += 1) {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
      const locks = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(locks).toHaveLength(1);
      for (const one of outcomes)
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'unusable' });
      await locks[0]?.[Symbol.asyncDispose]();
    }
    expect((await readdir(folder)).filter((name) => name.endsWith('.json'))).toHaveLength(1);
  });

  it('is taken over silently from a dead process, by one contender', async () => {
    const folder = await temporaryFolder();
    await lockFolder(folder, dead);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const locks = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(locks).toHaveLength(1);
    await locks[0]?.[Symbol.asyncDispose]();
  });

  it('is taken over from another boot', async () => {
    const folder = await temporaryFolder();
    await lockFolder(folder, { ...thisProcess(), bootId: 'another' });
    await using lock = await lockFolder(folder);
    expect(lock.owner.bootId).toBe(thisProcess().bootId);
  });

  it('asks the socket of an owner whose pid cannot be seen from here', async () => {
    const folder = await temporaryFolder();
    const elsewhere = { ...thisProcess(), pid: 1, pidNamespace: 'pid:[1]' };
    const lock = await lockFolder(folder, elsewhere);
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
    await lock[Symbol.asyncDispose]();

    const gone = await listenAsOwner(folder);
    const socketName = `${gone?.name}`;
    // This is how a killed owner leaves it: the socket's file exists and nobody listens.
    const kept = join(folder, 'owner-00000000-0000-4000-8000-000000000000.sock');
    await link(join(folder, socketName), kept);
    await gone?.close();
    await writeFile(
      join(folder, 'owner-90.json'),
      JSON.stringify({ ...elsewhere, socketName: 'owner-00000000-0000-4000-8000-000000000000.sock' }),
    );
    await using taken = await lockFolder(folder);
    expect(taken.owner.pid).toBe(process.pid);
  });

  it('admits readers beside an owner on this machine, and refuses them beside one in another container', async () => {
    const folder = await temporaryFolder();
    const lock = await lockFolder(folder);
    await expect(checkReadableBeside(folder)).resolves.toBeUndefined();
    await lock[Symbol.asyncDispose]();

    await using elsewhere = await lockFolder(folder, { ...thisProcess(), pid: 1, pidNamespace: 'pid:[1]' });
    await expect(checkReadableBeside(folder)).rejects.toMatchObject({ code: 'unusable' });
    await elsewhere[Symbol.asyncDispose]();
    await expect(checkReadableBeside(folder)).resolves.toBeUndefined();
  });

  it('is not part of a copy of the folder, whose own is still held', async () => {
    const parent = await temporaryFolder();
    const [folder, copy] = [join(parent, 'log'), join(parent, 'copy')];
    await mkdir(folder);
    await using lock = await lockFolder(folder);
    await promisify(execFile)('cp', ['-r', folder, copy]);
    await using ofCopy = await lockFolder(copy);
    expect(ofCopy.owner).toEqual(lock.owner);
    await expect(lockFolder(copy)).rejects.toMatchObject({ code: 'unusable' });
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
  });

  it('stays with its owner if the file system gives the folder another number', async () => {
    const folder = await temporaryFolder();
    await using _lock = await lockFolder(folder);
    const path = join(folder, 'owner-1.json');
    const entry = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...entry, folder: { device: '1', inode: '2' } }));
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
  });

  it('moves with the folder, and its release leaves alone what has taken the place', async () => {
    const parent = await temporaryFolder();
    const [folder, moved] = [join(parent, 'log'), join(parent, 'moved')];
    await mkdir(folder);
    const first = await lockFolder(folder);
    await rename(folder, moved);
    await expect(lockFolder(moved)).rejects.toMatchObject({ code: 'unusable' });
    await mkdir(folder);
    await using _second = await lockFolder(folder);
    await first[Symbol.asyncDispose]();
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
  });

  it('is released without an error when the folder is gone', async () => {
    const parent = await temporaryFolder();
    await mkdir(join(parent, 'log'));
    const lock = await lockFolder(join(parent, 'log'));
    await rm(join(parent, 'log'), { recursive: true });
    await lock[Symbol.asyncDispose]();
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const folder = await temporaryFolder(`runlog-${'long'.repeat(40)}-`);
    await using lock = await lockFolder(folder);
    expect(lock.owner.pid).toBe(process.pid);
    expect((await readdir(folder)).some((name) => name.endsWith('.sock'))).toBe(process.platform === 'linux');
  });

  it('waits for a claim without content, but not for ever', async () => {
    const folder = await temporaryFolder();
    const claim = join(folder, 'owner-3.json');
    await writeFile(claim, '');
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'unusable' });
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(claim, longAgo, longAgo);
    await using lock = await lockFolder(folder);
    expect(lock.owner.pid).toBe(process.pid);
  });
});
