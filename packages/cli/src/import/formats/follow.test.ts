import { readdirSync } from 'node:fs';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recorded } from '../recorded-source.ts';
import { type Found, findSources, SQLITE_REASON } from './find-sources.ts';
import { createFollower } from './follow.ts';
import { runIdOfFolder, runIdOfTable } from './run-name.ts';

const fixtures = fileURLToPath(new URL('../../../../../test/fixtures/formats', import.meta.url));
const eventLine = (id: number) =>
  `${JSON.stringify({ event_id: `e${id}`, event_type: 'NOTE', timestamp: '2026-01-05T10:00:00Z' })}\n`;

let folder: string;
let folders = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-follow-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function newFolder(): Promise<string> {
  folders += 1;
  const path = join(folder, String(folders));
  await mkdir(path);
  return path;
}

async function foundIn(path: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const item of findSources(path, { runId: undefined })) found.push(item);
  return found;
}

describe('what can be imported', () => {
  test('is found below a folder, and nothing else is', async () => {
    const found = await foundIn(fixtures);
    const formats = found.map((item) => (item.kind === 'source' ? item.source.format : item.kind));
    const files = readdirSync(fixtures, { recursive: true, encoding: 'utf8' });
    const count = (format: string) => formats.filter((each) => each === format).length;
    expect(count('tensorboard')).toBe(files.filter((path) => path.includes('tfevents')).length);
    expect(count('wandb')).toBe(4);
    expect(count('mlflow')).toBe(4);
    expect(count('csv')).toBe(3);
    expect(formats).toHaveLength(count('tensorboard') + 4 + 4 + 3);
  });

  test('is told apart by its contents: other tables, other lines and databases are no recordings', async () => {
    const path = await newFolder();
    await writeFile(join(path, 'dataset.csv'), 'image,label\ncat.png,cat\n');
    await writeFile(join(path, 'dataset.jsonl'), '{"prompt":"a"}\n');
    await writeFile(join(path, 'events.jsonl'), eventLine(1));
    await writeFile(join(path, 'metrics.csv'), 'epoch,loss\n1,2\n');
    await writeFile(join(path, 'mlflow.db'), 'SQLite format 3\0 and more');
    const found = await foundIn(path);
    expect(found).toMatchObject([
      { kind: 'passed', path: join(path, 'dataset.csv') },
      { kind: 'passed', path: join(path, 'dataset.jsonl') },
      { kind: 'source', source: { path: join(path, 'events.jsonl'), format: 'events' } },
      { kind: 'source', source: { path: join(path, 'metrics.csv'), format: 'csv' } },
      { kind: 'not_read', path: join(path, 'mlflow.db'), reason: SQLITE_REASON },
    ]);
  });

  test('is found in folders beside the file of a wandb run, but not among what wandb keeps of that run', async () => {
    const path = await newFolder();
    const own = join(path, 'offline-run-20261128_205544-abc');
    const wandb = join(
      fixtures,
      'wandb',
      'offline-run-20261128_205544-current-good',
      'run-current-good.wandb',
    );
    for (const at of [join(path, 'logs'), join(own, 'files'), join(own, 'logs'), join(own, 'board')]) {
      await mkdir(at, { recursive: true });
      await writeFile(join(at, 'metrics.csv'), 'epoch,loss\n1,2\n');
    }
    await copyFile(wandb, join(path, 'run-copied.wandb'));
    await copyFile(wandb, join(own, 'run-abc.wandb'));
    expect((await foundIn(path)).map((found) => found.kind === 'source' && found.source.path)).toEqual([
      join(path, 'run-copied.wandb'),
      join(path, 'logs', 'metrics.csv'),
      join(own, 'run-abc.wandb'),
      join(own, 'board', 'metrics.csv'),
    ]);
  });

  test.each([
    ['runs/exp1', 'runs', 'exp1'],
    ['runs/lr1/seed0', 'runs', 'lr1-seed0'],
    ['runs/exp1', 'runs/exp1', 'exp1'],
    ['a/logs/fit/train', 'a/logs/fit', 'fit-train'],
    ['a/lightning_logs/version_0', 'a/lightning_logs/version_0', 'a-lightning_logs-version_0'],
  ])('the event files of %s, found below %s, are the run %s', (path, root, run) => {
    expect(runIdOfFolder(path, root)).toBe(run);
  });

  test.each([
    ['out/lr3.csv', 'out', 'lr3'],
    ['out/lr3/metrics.csv', 'out', 'lr3'],
    ['out/lr3/metrics.csv', 'out/lr3', 'lr3-metrics'],
    ['out/lr3/events.jsonl', 'out', 'lr3'],
    ['out/2025-12-05_111053.events.jsonl.gz', 'out', '2025-12-05_111053'],
  ])('the table %s, found below %s, is the run %s', (path, root, run) => {
    expect(runIdOfTable(path, root)).toBe(run);
  });

  test('names that are cut, or lose all their letters, stay different', () => {
    const names = ['x'.repeat(80), `${'x'.repeat(79)}y`, 'トレーニング', '訓練'].map((name) =>
      runIdOfTable(`${name}.csv`, '.'),
    );
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
  });
});

describe('a folder that is followed', () => {
  function follow(path: string) {
    const stop = new AbortController();
    const items: Recorded[] = [];
    const notes: string[] = [];
    const follower = createFollower({
      paths: [path],
      runId: undefined,
      stop: stop.signal,
      onNote: (of, message) => notes.push(`${of} ${message}`),
      onLeftOut: () => {},
      onSource: () => {},
      now: () => performance.now(),
      lookEveryMs: 20,
    });
    const readAll = async () => {
      for await (const item of follower.read(path, { signal: new AbortController().signal })) {
        if (interrupted) break;
        items.push(item);
      }
    };
    let interrupted = false;
    let done = readAll();
    const placesOf = () =>
      items.flatMap((item) => ('caughtUp' in item ? [] : [item.place.slice(path.length + 1)]));
    return {
      places: placesOf,
      looks: () => items.filter((item) => 'caughtUp' in item).length,
      notes,
      /** As after an outage: what was read may not have been sent. */
      beginAgain: async (meanwhile: () => Promise<void>) => {
        interrupted = true;
        await done;
        interrupted = false;
        items.length = 0;
        follower.beginAgain();
        await meanwhile();
        done = readAll();
      },
      end: async () => {
        stop.abort();
        await done;
        return placesOf();
      },
    };
  }

  test('gives what comes: new files, new folders, more lines, and what was half written', async () => {
    const path = await newFolder();
    await writeFile(join(path, 'a.jsonl'), eventLine(1) + eventLine(2).slice(0, 10));
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1']);
    await appendFile(join(path, 'a.jsonl'), eventLine(2).slice(10));
    await mkdir(join(path, 'b'));
    await copyFile(join(fixtures, 'csv', 'comma.csv'), join(path, 'b', 'b.csv'));
    await expect.poll(() => following.places().length).toBe(2 + 12);
    // The last look comes after the end was asked for.
    await appendFile(join(path, 'a.jsonl'), eventLine(3));
    expect((await following.end()).at(-1)).toBe('a.jsonl:3');
    expect(following.notes).toEqual([]);
  });

  test('says when a file begins anew: it was rewritten, rotated, or came back after it had vanished', async () => {
    const path = await newFolder();
    const file = join(path, 'a.jsonl');
    await writeFile(file, eventLine(1));
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1']);
    await writeFile(`${file}.new`, eventLine(2) + eventLine(3));
    await rename(`${file}.new`, file);
    const rotated = ['a.jsonl:1', 'a.jsonl:start', 'a.jsonl:1', 'a.jsonl:2'];
    await expect.poll(following.places).toEqual(rotated);
    await rm(file);
    const looks = following.looks();
    await expect.poll(following.looks).toBeGreaterThan(looks + 1);
    await writeFile(file, eventLine(4));
    await expect.poll(following.places).toEqual([...rotated, 'a.jsonl:gone', 'a.jsonl:1']);
    await following.end();
  });

  test('is read to its end under its new name when it is rotated', async () => {
    const path = await newFolder();
    const file = join(path, 'a.jsonl');
    await writeFile(file, eventLine(1));
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1']);
    // What was written since the last look is found, whether a look comes between the two names or not.
    const lines = () => following.places().filter((place) => /:\d+$/.test(place));
    await appendFile(file, eventLine(2));
    await rename(file, `${file}.1`);
    await writeFile(file, eventLine(3));
    await expect.poll(lines).toContain('a.jsonl.1:2');
    await expect.poll(lines).toContain('a.jsonl:1');
    // Its writer goes on until it opens the new file.
    await appendFile(`${file}.1`, eventLine(4));
    await expect.poll(lines).toContain('a.jsonl.1:3');
    await appendFile(file, eventLine(5));
    await rename(file, `${file}.2`);
    await expect.poll(lines).toContain('a.jsonl.2:2');
    expect(lines().filter((place) => place.startsWith('a.jsonl.1'))).toHaveLength(3);
    expect(following.notes.join()).not.toContain('not imported');
    await following.end();
  });

  test('is read again from its beginning after an outage, under whatever name it has by then', async () => {
    const path = await newFolder();
    const [file, table] = [join(path, 'a.jsonl'), join(path, 'b.csv')];
    await writeFile(file, eventLine(1));
    await writeFile(table, 'epoch,loss\n1,2\n');
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1', 'b.csv:2']);
    await following.beginAgain(async () => {
      await rename(file, `${file}.1`);
      await writeFile(file, eventLine(2));
      await rename(table, `${table}.1`);
    });
    await expect
      .poll(following.places)
      .toEqual(['a.jsonl:start', 'a.jsonl.1:1', 'a.jsonl:1', 'b.csv:gone', 'b.csv.1:2']);
    await following.beginAgain(() => rename(`${file}.1`, `${file}.2`));
    await expect.poll(following.places).toContain('a.jsonl.2:1');
    await expect.poll(following.places).toContain('b.csv.1:2');
    await following.end();
  });

  test('is read to its end in the copy that was made before it was cut', async () => {
    const path = await newFolder();
    const file = join(path, 'a.jsonl');
    await writeFile(file, eventLine(1));
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1']);
    await appendFile(file, eventLine(2));
    await copyFile(file, `${file}.1`);
    await writeFile(file, '');
    await appendFile(file, eventLine(3));
    await expect.poll(following.places).toContain('a.jsonl:1');
    await expect
      .poll(() => following.places().filter((place) => place.startsWith('a.jsonl.1')))
      .toEqual(['a.jsonl.1:1', 'a.jsonl.1:2']);
    await following.end();
  });

  test('says what may be missing of a file that was cut, and is not stopped by a folder with its number', async () => {
    const path = await newFolder();
    const file = join(path, 'a.jsonl');
    await writeFile(file, eventLine(1) + eventLine(2));
    const following = follow(path);
    await expect.poll(following.places).toEqual(['a.jsonl:1', 'a.jsonl:2']);
    await writeFile(`${file}.new`, eventLine(3));
    await rename(`${file}.new`, file);
    for (let made = 0; made < 20; made += 1) await mkdir(join(path, `a.jsonl.${made}`));
    await expect.poll(following.places).toEqual(['a.jsonl:1', 'a.jsonl:2', 'a.jsonl:start', 'a.jsonl:1']);
    expect(following.notes).toEqual([
      expect.stringMatching(/a\.jsonl was replaced, cut or rewritten .*not imported/),
    ]);
    await following.end();
  });

  test('says nothing of a loss where a file was replaced by a longer copy, as a synchronisation does', async () => {
    const path = await newFolder();
    const recordings = [
      [/exp-x\/events/, 'events.out.tfevents.1.x'],
      [/current-good\.wandb$/, 'run-good.wandb'],
      [/mlflow.*\/metrics\/.*loss$/, 'mlruns/0/r/metrics/loss'],
    ] as const;
    const files = readdirSync(fixtures, { recursive: true, encoding: 'utf8' });
    await mkdir(join(path, 'mlruns', '0', 'r', 'metrics'), { recursive: true });
    await writeFile(join(path, 'mlruns', '0', 'r', 'meta.yaml'), 'run_id: r\n');
    const write = async (share: number) => {
      for (const [pattern, name] of recordings) {
        const bytes = await readFile(join(fixtures, files.find((each) => pattern.test(each))!));
        await writeFile(`${path}.new`, bytes.subarray(0, Math.floor(bytes.length * share)));
        await rename(`${path}.new`, join(path, name));
      }
    };
    await write(0.7);
    const following = follow(path);
    const lastOf = (part: string) => following.places().findLastIndex((place) => place.startsWith(part));
    const parts = ['events', 'run-good', 'mlruns'];
    await expect.poll(() => parts.filter((part) => lastOf(part) === -1)).toEqual([]);
    const looks = following.looks();
    await expect.poll(following.looks).toBeGreaterThan(looks + 1);
    const before = following.places().length;
    await write(1);
    await expect.poll(() => parts.filter((part) => lastOf(part) < before)).toEqual([]);
    await following.end();
    expect(following.notes.filter((text) => text.includes('not imported'))).toEqual([]);
  });

  test('that is not there yet is waited for', async () => {
    const path = join(await newFolder(), 'later');
    const following = follow(path);
    await expect.poll(following.looks).toBeGreaterThan(1);
    await mkdir(path);
    await writeFile(join(path, 'a.jsonl'), eventLine(1));
    await expect.poll(following.places).toEqual(['a.jsonl:1']);
    expect(following.notes).toEqual([`${path} is not there; waiting for it`]);
    await following.end();
  });
});
