import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { judgeLine } from '../judge-line.ts';
import { csvSource } from './csv.ts';
import { mlflowSource } from './mlflow.ts';
import type { Source, SourceItem } from './source.ts';
import { timestampOfSeconds } from './source-event.ts';
import { isEventFile, tensorboardSource } from './tensorboard.ts';
import { wandbSource } from './wandb.ts';

/** Files that the tools themselves wrote, and what their own readers see in them (`npm run record-formats`). */
const folder = fileURLToPath(new URL('../../../../../test/fixtures/formats', import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
const seenBy = (tool: string) => JSON.parse(readFileSync(join(folder, `${tool}.json`), 'utf8'));

async function itemsOf(source: Source): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const item of source.read({ signal: new AbortController().signal, growing: false })) {
    items.push(item);
  }
  return items;
}

interface ReadEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly timestamp: string;
  readonly run_id: string;
  readonly message?: string;
  readonly severity?: string;
  readonly data: Record<string, unknown>;
}

/** Reads a source without faults, whose events ingest takes, each with an id of its own. */
async function eventsOf(source: Source): Promise<ReadEvent[]> {
  const items = await itemsOf(source);
  expect(items.filter((item) => 'fault' in item)).toEqual([]);
  const events = items.flatMap((item) => ('event' in item ? [item.event as unknown as ReadEvent] : []));
  for (const event of events) expect(judgeLine(Buffer.from(JSON.stringify(event)))).toBeNull();
  expect(new Set(events.map((event) => event.event_id)).size).toBe(events.length);
  return events;
}

function leftOutOf(items: readonly SourceItem[]): Record<string, number> {
  return Object.fromEntries(
    items.flatMap((item) => ('leftOut' in item ? [[item.leftOut.what, item.leftOut.count]] : [])),
  );
}

interface Point {
  readonly name: string;
  readonly step: unknown;
  readonly timestamp: string;
  readonly value: unknown;
}

function pointsOf(events: readonly ReadEvent[]): Point[] {
  return events
    .filter((event) => event.event_type === 'METRICS')
    .flatMap(({ timestamp, data: { step, ...values } }) =>
      Object.entries(values).map(([name, value]) => ({ name, step, timestamp, value })),
    )
    .sort(byText);
}

function byText(left: unknown, right: unknown): number {
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}

describe('TensorBoard', () => {
  interface Seen {
    readonly tag: string;
    readonly step: number;
    readonly time: number;
    readonly value: number | string;
  }
  const paths = files.filter((path) => path.startsWith('tensorboard/') && isEventFile(path));

  test.each(paths)('%s has the points that its own reader sees', async (path) => {
    const events = await eventsOf(tensorboardSource(join(folder, path), 'run-1'));
    const seen: Seen[] = seenBy('tensorboard')[relative('tensorboard', join(path, '..'))];
    const expected = seen.map(({ tag, step, time, value }) => ({
      ...{ name: tag, step, timestamp: timestampOfSeconds(time), value },
    }));
    expect(pointsOf(events)).toEqual(expected.sort(byText));
  });

  test('texts, hyperparameters, log messages and checkpoints are events; pictures and arrays are counted', async () => {
    const read = async (name: string) => {
      const path = paths.find((file) => file.includes(name))!;
      const source = () => tensorboardSource(join(folder, path), 'run-1');
      return { events: await eventsOf(source()), leftOut: leftOutOf(await itemsOf(source())) };
    };
    const x = await read('exp-x/events');
    expect(x.events.filter((event) => event.event_type === 'LOG_RECORD')).toMatchObject([
      { message: expect.stringContaining('the *first* line\nand the second: größer'), data: { step: 3 } },
    ]);
    expect(x.leftOut).toEqual({ histograms: 1 });
    const hparams = await read('exp-hparams/17');
    expect(hparams.events).toMatchObject([
      { event_type: 'RUN_CONFIGURED', data: { config: { lr: 0.1, optimizer: 'adam', amsgrad: true } } },
      { event_type: 'RUN_FINISHED' },
      { event_type: 'METRICS', data: { best: 0.75 } },
    ]);
    const types = await read('exp-types');
    expect(types.events.slice(-2)).toMatchObject([
      { event_type: 'LOG_RECORD', severity: 'warning', message: 'low on memory' },
      { event_type: 'CHECKPOINT_SAVED', message: 'ckpt-22', data: { step: 23 } },
    ]);
    expect(types.leftOut).toEqual({ arrays: 1 });
  });
});

describe('wandb', () => {
  const paths = files.filter((path) => path.endsWith('.wandb'));
  const fields = new Set(['_step', '_timestamp', '_runtime']);

  test.each(paths)('%s says what its own reader sees', async (path) => {
    const events = await eventsOf(wandbSource(join(folder, path), undefined));
    const seen = seenBy('wandb')[path];
    const runId = path.replace(/.*run-(.*)\.wandb/, '$1');
    expect(new Set(events.map((event) => event.run_id))).toEqual(new Set([runId]));
    expect(events[0]).toMatchObject({
      event_type: 'RUN_CONFIGURED',
      data: { name: seen.name, config: seen.config },
    });
    const history = events.filter((event) => event.event_type === 'METRICS');
    expect(history).toHaveLength(seen.history.length);
    for (const [index, record] of (seen.history as Record<string, unknown>[]).entries()) {
      const { timestamp, data } = history[index]!;
      expect(data.step).toBe(record._step);
      expect(timestamp).toBe(timestampOfSeconds(record._timestamp as number));
      for (const [name, value] of Object.entries(record)) {
        // Histograms and long lists are left out, and `step` is the x of the others.
        if (fields.has(name) || name.startsWith('table.') || name === 'long') continue;
        expect(data[name === 'step' ? 'metric.step' : name]).toBe(value);
      }
    }
    expect(events.at(-1)).toMatchObject(
      seen.exit_code === 0
        ? { event_type: 'RUN_FINISHED', data: { summary: { best: 0.99 } } }
        : { event_type: 'RUN_FAILED', data: { exit_code: seen.exit_code } },
    );
    const alerts = events.filter((event) => event.event_type === 'ALERT_RAISED');
    expect(alerts.map(({ data, severity }) => [data.title, data.text, severity])).toEqual(
      (seen.alerts as [string, string, string][]).map(([title, text, level]) => [
        title,
        text,
        level.toLowerCase(),
      ]),
    );
  });

  test('what is no number and no text is counted', async () => {
    const path = paths.find((file) => file.includes('current-good'))!;
    const leftOut = leftOutOf(await itemsOf(wandbSource(join(folder, path), undefined)));
    expect(leftOut).toMatchObject({ 'values of type histogram': 1, 'long values': 1 });
  });
});

describe('MLflow', () => {
  interface Seen {
    readonly name: string;
    readonly experiment: string;
    readonly status: string;
    readonly end_time: number;
    readonly params: Record<string, string>;
    readonly metrics: Record<string, [time: number, value: unknown, step: number][]>;
  }
  const runs: [string, Seen][] = Object.entries(seenBy('mlflow'));

  test.each(runs)('%s has what its own client sees', async (path, seen) => {
    const events = await eventsOf(mlflowSource(join(folder, path), undefined));
    expect(events[0]).toMatchObject({
      event_type: 'RUN_CONFIGURED',
      run_id: path.split('/').at(-1),
      data: { name: seen.name, experiment: seen.experiment, config: seen.params },
    });
    const expected = Object.entries(seen.metrics).flatMap(([name, points]) =>
      points.map(([time, value, step]) => ({
        ...{ name, step, timestamp: timestampOfSeconds(time / 1_000)!, value },
      })),
    );
    expect(pointsOf(events)).toEqual(expected.sort(byText));
    const times = events.filter((event) => event.event_type === 'METRICS').map((event) => event.timestamp);
    expect(times).toEqual(times.toSorted());
    expect(events.at(-1)).toMatchObject({
      event_type: seen.status === 'FINISHED' ? 'RUN_FINISHED' : 'RUN_FAILED',
      timestamp: timestampOfSeconds(seen.end_time / 1_000),
    });
  });
});

describe('CSV', () => {
  test.each(['comma.csv', 'excel.csv', 'tabs.tsv'])('%s has the rows that were written', async (name) => {
    const events = await eventsOf(csvSource(join(folder, 'csv', name), 'run-1'));
    const rows: Record<string, unknown>[] = JSON.parse(
      readFileSync(join(folder, 'csv/expected.json'), 'utf8'),
    );
    expect(events.map(({ timestamp, data }) => ({ timestamp: Date.parse(timestamp), ...data }))).toEqual(
      rows.map((row) => ({ ...row, timestamp: Date.parse(String(row.timestamp)) })),
    );
  });
});
