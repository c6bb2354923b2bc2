import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Logger } from '../logger.ts';
import type { TopicIoError } from '../topic-io.ts';
import { openEmbedded } from './open-embedded.ts';

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-folder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** Returns a folder in which a log was made and closed. */
async function closedLog(): Promise<string> {
  const folder = await temporaryFolder();
  const io = await openEmbedded({ folder, logger });
  await io[Symbol.asyncDispose]();
  return folder;
}

async function refusalOf(folder: string, readOnly = false): Promise<string> {
  const error: unknown = await openEmbedded({ folder, readOnly, logger }).then(
    () => new Error('it opened'),
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({ name: 'TopicIoError', code: 'unusable' });
  const { message } = error as TopicIoError;
  expect(message).toContain(folder);
  return message;
}

describe('the folder of an embedded log', () => {
  it('is made where nothing exists', async () => {
    const folder = join(await temporaryFolder(), 'a', 'b');
    await using io = await openEmbedded({ folder, logger });
    await expect(io.ping()).resolves.toBeUndefined();
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['log.mdb', 'runlog-log.json']));
  });

  it('is refused, untouched, when it holds something else', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'thesis.tex'), 'years of work');
    expect(await refusalOf(folder)).toContain('thesis.tex');
    expect(await readdir(folder)).toEqual(['thesis.tex']);
  });

  it('is refused when it is a file, or is below one', async () => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(file, 'text');
    expect(await refusalOf(file)).toContain('is a file');
    expect(await refusalOf(join(file, 'below'))).toContain('is a file');
    expect(await readFile(file, 'utf8')).toBe('text');
  });

  it('is refused when a newer runlog wrote it', async () => {
    const folder = await closedLog();
    const marker = join(folder, 'runlog-log.json');
    await writeFile(marker, (await readFile(marker, 'utf8')).replace('"version":2', '"version":3'));
    expect(await refusalOf(folder)).toContain('format 3');
    expect(await refusalOf(folder, true)).toContain('format 3');
  });

  it('is refused when its marker is not ours', async () => {
    const folder = await closedLog();
    await writeFile(join(folder, 'runlog-log.json'), '{"name":"other","version":1}');
    expect(await refusalOf(folder)).toContain('runlog-log.json');
    await writeFile(join(folder, 'runlog-log.json'), 'no JSON');
    expect(await refusalOf(folder)).toContain('runlog-log.json');
  });

  it('is refused when its database is missing, cut or garbage, and keeps the remains', async () => {
    const folder = await closedLog();
    const data = join(folder, 'log.mdb');
    const whole = await readFile(data);

    await writeFile(data, Buffer.alloc(whole.length, 0x5a));
    expect(await refusalOf(folder)).toContain('is not an LMDB database');
    expect((await readFile(data)).equals(Buffer.alloc(whole.length, 0x5a))).toBe(true);

    await writeFile(data, whole);
    await truncate(data, whole.length - 4096);
    expect(await refusalOf(folder)).toContain('cut');
    await truncate(data, 100);
    expect(await refusalOf(folder)).toContain('100 bytes');
    await rm(data);
    expect(await refusalOf(folder)).toContain('missing');

    await writeFile(data, whole);
    await using io = await openEmbedded({ folder, logger });
    await expect(io.ping()).resolves.toBeUndefined();
  });

  it('is refused when a number in the head of an empty tree has a wrong bit', async () => {
    const folder = await closedLog();
    const data = join(folder, 'log.mdb');
    const whole = await readFile(data);
    const refusals: string[] = [];
    const name = Buffer.from('tombstones');
    for (let at = whole.indexOf(name); at !== -1; at = whole.indexOf(name, at + 1)) {
      // The numbers of branches, leaves, long pages and rows. Older copies of the head mean nothing.
      for (const number of [8, 16, 24, 32]) {
        const damaged = Buffer.from(whole);
        damaged[at + name.length + number + 7]! ^= 0x20;
        await writeFile(data, damaged);
        const refusal = await openEmbedded({ folder, logger }).then(
          (io) => io[Symbol.asyncDispose](),
          (error: TopicIoError) => error.message,
        );
        if (refusal !== undefined) refusals.push(refusal);
      }
    }
    expect(refusals).toHaveLength(4);
    for (const refusal of refusals) expect(refusal).toContain('the tree tombstones has no pages');
  });

  it('is made anew after a crash left it half made', async () => {
    const folder = await temporaryFolder();
    await writeFile(
      join(folder, 'runlog-log.json'),
      '{"name":"runlog embedded log","version":1,"state":"creating"}',
    );
    await writeFile(join(folder, 'log.mdb'), '');
    await using io = await openEmbedded({ folder, logger });
    await expect(io.ping()).resolves.toBeUndefined();
  });

  it('is not made by a process that only reads', async () => {
    const folder = await temporaryFolder();
    expect(await refusalOf(folder, true)).toContain('holds no log');
    expect(await refusalOf(join(folder, 'missing'), true)).toContain('does not exist');
    expect(await readdir(folder)).toEqual([]);
  });

  it('is refused when there is no permission, whether it is new or holds a log', async () => {
    const parent = await temporaryFolder();
    const log = await closedLog();
    await chmod(parent, 0o500);
    await chmod(log, 0o500);
    await withoutPrivileges(async () => {
      expect(await refusalOf(join(parent, 'new'))).toContain('no permission');
      expect(await refusalOf(log)).toContain('no permission');
    });
    await chmod(log, 0o700);
  });
});

/** Root is not bound by permissions, so tests in a container run as nobody meanwhile. */
async function withoutPrivileges(use: () => Promise<void>): Promise<void> {
  const { geteuid, seteuid } = process;
  if (geteuid === undefined || seteuid === undefined || geteuid() !== 0) return await use();
  seteuid(65_534);
  try {
    await use();
  } finally {
    seteuid(0);
  }
}
