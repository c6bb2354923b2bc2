import { readdirSync } from 'node:fs';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csvSource } from './csv.ts';
import { mlflowSource } from './mlflow.ts';
import type { Source, SourceItem } from './source.ts';
import { tensorboardSource } from './tensorboard.ts';
import { wandbSource } from './wandb.ts';

const fixtures = fileURLToPath(new URL('../../../../../test/fixtures/formats', import.meta.url));
const paths = readdirSync(fixtures, { recursive: true, encoding: 'utf8' });
const find = (part: RegExp) => join(fixtures, paths.find((path) => part.test(path))!);

const formats = [
  {
    name: 'TensorBoard',
    path: find(/exp-x\/events/),
    open: (path: string) => tensorboardSource(path, 'run-1'),
  },
  { name: 'wandb', path: find(/current-good\.wandb$/), open: (path: string) => wandbSource(path, 'run-1') },
  { name: 'CSV', path: find(/comma\.csv$/), open: (path: string) => csvSource(path, 'run-1') },
] as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-growing-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let copies = 0;
async function newPath(like: string): Promise<string> {
  copies += 1;
  const into = join(folder, String(copies));
  await mkdir(into);
  return join(into, basename(like));
}

async function itemsOf(source: Source, growing: boolean): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const item of source.read({ signal: new AbortController().signal, growing })) items.push(item);
  return items;
}

const eventsOf = (items: readonly SourceItem[]) =>
  items.flatMap((item) => ('event' in item ? [item.event as Record<string, unknown>] : []));
const idsOf = (items: readonly SourceItem[]) => eventsOf(items).map((event) => event.event_id);
const faultsOf = (items: readonly SourceItem[]) => items.filter((item) => 'fault' in item);

describe.each(formats)('a file of $name that grows', ({ path, open }) => {
  test('gives each event once, whatever is there at each look, and no fault while a record is half written', async () => {
    const bytes = await readFile(path);
    const whole = idsOf(await itemsOf(open(path), false));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 6 }), async (cuts) => {
        const copy = await newPath(path);
        await writeFile(copy, '');
        const source = open(copy);
        const at = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
        const items: SourceItem[] = [];
        for (const [index, end] of at.slice(1).entries()) {
          await appendFile(copy, bytes.subarray(at[index], end));
          items.push(...(await itemsOf(source, true)));
        }
        expect(faultsOf(items)).toEqual([]);
        expect(idsOf(items)).toEqual(whole);
        expect(await itemsOf(source, true)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('is read from its beginning when it was replaced, cut, or rewritten in place', async () => {
    const bytes = await readFile(path);
    const copy = await newPath(path);
    await copyFile(path, copy);
    const source = open(copy);
    const whole = idsOf(await itemsOf(source, true));
    await copyFile(path, `${copy}.new`);
    await rename(`${copy}.new`, copy);
    expect(idsOf(await itemsOf(source, true))).toEqual(whole);
    await writeFile(copy, bytes.subarray(0, bytes.length >> 1));
    const half = idsOf(await itemsOf(source, true));
    expect(whole.slice(0, half.length)).toEqual(half);
    await appendFile(copy, bytes.subarray(bytes.length >> 1));
    expect([...half, ...idsOf(await itemsOf(source, true))]).toEqual(whole);
    await rm(copy);
    await expect(itemsOf(source, true)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('with any damage throws nothing, and what it gives has ids of its own', async () => {
    const bytes = await readFile(path);
    const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 5 }), fc.nat(), async (flips, cut) => {
        const damaged = Buffer.from(bytes.subarray(0, bytes.length - (cut % 3) * (cut % bytes.length)));
        fc.pre(damaged.length > 0);
        for (const [at, mask] of flips) damaged[at % damaged.length]! ^= mask;
        const copy = await newPath(path);
        await writeFile(copy, damaged);
        const ids = idsOf(await itemsOf(open(copy), false));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 30 },
    );
  });
});

test('a file that is cut within a record says so when nobody waits for the rest', async () => {
  for (const { path, open } of formats.slice(0, 2)) {
    const bytes = await readFile(path);
    const copy = await newPath(path);
    await writeFile(copy, bytes.subarray(0, -3));
    expect(faultsOf(await itemsOf(open(copy), false))).toMatchObject([
      { place: 'end', fault: { message: expect.stringContaining('the last record is cut') } },
    ]);
  }
});

describe('a run of MLflow that is under way', () => {
  test('gives what has come at each look, and its end once', async () => {
    const run = join(await newPath('mlruns'), 'experiment', 'run');
    await mkdir(join(run, 'metrics', 'val'), { recursive: true });
    await mkdir(join(run, 'params'));
    const meta = (status: number, end: string) =>
      writeFile(
        join(run, 'meta.yaml'),
        `run_id: abc\nrun_name: 1e5\nexperiment_id: '1'\nstart_time: 1764000000000\nend_time: ${end}\nstatus: ${status}\n`,
      );
    const source = mlflowSource(run, undefined);
    expect(await itemsOf(source, true)).toEqual([]);
    await meta(1, 'null');
    await writeFile(join(run, 'params', 'lr'), '0.1');
    expect(await itemsOf(source, true)).toEqual([]);
    await writeFile(join(run, 'metrics', 'loss'), '1764000001000 0.5 1\n1764000003000 0.4 2\n17640000');
    await writeFile(join(run, 'metrics', 'val', 'acc'), '1764000002000 nan 1\n');
    const first = eventsOf(await itemsOf(source, true));
    expect(first.map(({ event_type, data }) => [event_type, data])).toMatchObject([
      ['RUN_CONFIGURED', { config: { lr: '0.1' } }],
      ['METRICS', { loss: 0.5, step: 1 }],
      ['METRICS', { 'val/acc': 'NaN', step: 1 }],
      ['METRICS', { loss: 0.4, step: 2 }],
    ]);
    await appendFile(join(run, 'metrics', 'loss'), '04000 0.3 3\nnonsense\n');
    await meta(5, '1764000005000');
    expect(await itemsOf(source, true)).toMatchObject([
      { place: 'metrics/loss:3', event: { data: { loss: 0.3, step: 3 } } },
      { place: 'metrics/loss:4', fault: {} },
      { place: 'meta.yaml', event: { event_type: 'RUN_FAILED', data: { reason: 'killed' } } },
    ]);
    expect(await itemsOf(source, true)).toEqual([]);
  });

  test('in a folder that is none says so', async () => {
    expect(await itemsOf(mlflowSource(folder, undefined), false)).toMatchObject([
      { place: 'meta.yaml', fault: {} },
    ]);
  });
});
