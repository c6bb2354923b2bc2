import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csvSource } from './csv.ts';
import { type CsvRow, CsvRows } from './csv-rows.ts';
import type { SourceItem } from './source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlog-csv-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function read(content: string | Buffer): Promise<SourceItem[]> {
  files += 1;
  const path = join(folder, `${files}.csv`);
  await writeFile(path, content);
  const items: SourceItem[] = [];
  const options = { signal: new AbortController().signal, growing: false };
  for await (const item of csvSource(path, 'run-1').read(options)) items.push(item);
  return items;
}

const dataOf = (items: readonly SourceItem[]) =>
  items.map((item) => ('event' in item ? item.event.data : item));

describe('a CSV file', () => {
  test('has a metric a column; empty cells are not known, and text stays text', async () => {
    const content =
      '\uFEFFstep,loss,note,id\r\n1,0.5,,007\r\n2,,"a ""b"", c",12345678901234567890\r\n3,nan,-inf,NA\r\n';
    expect(dataOf(await read(content))).toEqual([
      { step: 1, loss: 0.5, id: '007' },
      { step: 2, note: 'a "b", c', id: '12345678901234567890' },
      { step: 3, loss: 'NaN', note: '-Infinity' },
    ]);
  });

  test('may have semicolons with decimal commas, or tabs, and needs no line end at its end', async () => {
    expect(dataOf(await read('step;loss\n1;0,5\n2;1,5e-3'))).toEqual([
      { step: 1, loss: 0.5 },
      { step: 2, loss: 0.0015 },
    ]);
    expect(dataOf(await read('step\tloss\n1\t0,5\n'))).toEqual([{ step: 1, loss: '0,5' }]);
  });

  test('names the run, the type, the time and the epoch of each row', async () => {
    const items = await read(
      'Timestamp,run_id,event_type,epoch,message,accuracy\n2026-01-05 10:00:00,a b,epoch completed,3,done,0.5\n1767607200.25,c,,4,,0.6\n',
    );
    expect(items).toMatchObject([
      {
        event: {
          ...{
            run_id: expect.stringMatching(/^a-b-[0-9a-f]{8}$/),
            event_type: 'EPOCH_COMPLETED',
            timestamp: '2026-01-05 10:00:00Z',
            epoch: 3,
          },
          ...{ message: 'done', data: { step: 3, accuracy: 0.5 } },
        },
      },
      { event: { run_id: 'c', event_type: 'METRICS', timestamp: '2026-01-05T10:00:00.250000Z' } },
    ]);
  });

  test('may have a row for each value, as a query of a database gives it', async () => {
    const content =
      'run_id,key,value,timestamp,step\nr1,loss,0.5,1767607200250,1\nr1,val/acc,0.7,1767607200250,1\n';
    expect(dataOf(await read(content))).toEqual([
      { loss: 0.5, step: 1 },
      { 'val/acc': 0.7, step: 1 },
    ]);
  });

  test('with seconds since its beginning in `time` keeps them as a metric', async () => {
    const items = await read('time,loss\n0.25,1\n0.5,2\n');
    expect(dataOf(items)).toEqual([
      { time: 0.25, loss: 1 },
      { time: 0.5, loss: 2 },
    ]);
  });

  test('of Stable-Baselines3 and of Keras has its steps', async () => {
    expect(dataOf(await read('time/fps,time/total_timesteps,rollout/ep_rew_mean\n90,2048,22.5\n'))).toEqual([
      { 'time/fps': 90, step: 2048, 'rollout/ep_rew_mean': 22.5 },
    ]);
    expect(dataOf(await read('epoch,loss,val_loss\n0,2.5,NA\n'))).toEqual([{ step: 0, loss: 2.5 }]);
  });

  test('that gets more rows, or a further column, gives the rows that it had with the same ids', async () => {
    const ids = (items: readonly SourceItem[]) => items.map((item) => 'event' in item && item.event.event_id);
    const before = ids(await read('step,loss\n1,0.5\n1,0.5\n'));
    const after = ids(await read('step,acc,loss\n1,,0.5\n1,,0.5\n2,0.1,0.4\n'));
    expect(after.slice(0, 2)).toEqual(before);
    expect(new Set(after).size).toBe(3);
  });

  test.each([
    ['no header', '1,2\n3,4\n', 'the first line must name the columns'],
    ['nothing', '', 'has no header line'],
    ['bytes that are no text', Buffer.from([0, 1, 2, 0x0a, 0]), 'has no header line'],
    ['a row with too few cells', 'a,b\n1\n', 'has 1 cells, but the header has 2'],
    ['a step that is no number', 'step,b\nx,1\n', 'step must be a number (is "x")'],
    ['a time that is none', 'timestamp,b\nyesterday,1\n', 'timestamp must be a time'],
    ['an open quote', 'a,b\n1,"2\n', 'a quote is not closed'],
  ])('with %s says so', async (_name, content, message) => {
    const items = await read(content);
    expect(items).toMatchObject([{ fault: { message: expect.stringContaining(message) } }]);
  });

  test('goes on behind an open quote with the next line', async () => {
    const items = await read('a,b\n1,"2\n3,4\n');
    expect(items).toMatchObject([
      { place: '2', fault: {} },
      { place: '3', event: { data: { a: 3, b: 4 } } },
    ]);
  });
});

describe('rows of CSV', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '\n', '\r', ' ', 'ä') });
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 });
  const quoted = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function rowsOf(text: string, cuts: readonly number[]): CsvRow[] {
    const rows = new CsvRows(',');
    const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
    const found = at.slice(1).flatMap((end, index) => [...rows.push(text.slice(at[index], end))]);
    return [...found, ...rows.end()];
  }

  test('are those that were written, however the text is cut', () => {
    fc.assert(
      fc.property(table, fc.array(fc.nat()), fc.constantFrom('\n', '\r\n'), (rows, cuts, lineEnd) => {
        const text = rows.map((cells) => cells.map(quoted).join(',') + lineEnd).join('');
        const read = rowsOf(text, cuts).map((row) => row.kind === 'row' && row.cells);
        expect(read).toEqual(rows);
      }),
    );
  });

  test('of any text are found without a throw, and each line is read once', () => {
    fc.assert(
      fc.property(fc.array(cell), fc.array(fc.nat()), (parts, cuts) => {
        const text = parts.join('');
        const lines = rowsOf(text, cuts).map((row) => row.line);
        expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
      }),
    );
  });
});
