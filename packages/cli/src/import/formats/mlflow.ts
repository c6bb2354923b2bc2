import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { eventNames } from '@runlog/schema/events/event-types';
import { runIdOfName } from '../run-name.ts';
import { GrowingLines } from './growing-lines.ts';
import { endOfStatus, type RunMeta, readExperimentName, readRunMeta, secondsOfTime } from './mlflow-meta.ts';
import { faultAt, type ReadOptions, restarted, type Source, type SourceItem } from './source.ts';
import {
  configuredEvent,
  cutText,
  idOf,
  metricName,
  numberValue,
  timestampOfSeconds,
} from './source-event.ts';

/** Metrics of a run whose files are read side by side, in the order of time. Further ones follow, as many at a time. */
const FILES_OPEN_MAX = 256;
const FILES_MAX = 20_000;
/** A longer line is no metric. */
const LINE_BYTES_MAX = 4_096;
const PARAMS_MAX = 1_000;
const PARAM_CHARS_MAX = 4_096;

interface Measurement {
  readonly place: string;
  readonly seconds: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/** Reads the folder of one run in MLflow's file store: `meta.yaml`, `metrics`, `params` and `tags`. */
export function mlflowSource(folder: string, givenRunId: string | undefined): Source {
  const files = new Map<string, GrowingLines>();
  let toldConfig = '';
  let toldEnd = '';
  let isDeletionTold = false;

  async function* read(options: ReadOptions): AsyncGenerator<SourceItem> {
    const meta = await readRunMeta(folder);
    if (meta === null) {
      if (!options.growing) {
        yield faultAt('meta.yaml', 'this is not the meta.yaml of a run of MLflow');
      }
      return;
    }
    if (meta.lifecycle_stage === 'deleted') {
      if (!isDeletionTold) yield { place: 'meta.yaml', leftOut: { what: 'deleted runs', count: 1 } };
      isDeletionTold = true;
      return;
    }
    const run = { runId: givenRunId ?? runIdOfName(meta.run_id ?? meta.run_uuid ?? ''), meta };
    const names = (await filesBelow(join(folder, 'metrics'))).sort();
    const end = endEvent(run.runId, meta);
    // A run that has logged nothing yet may still be writing its parameters, one after the other.
    if (names.length > 0 || end !== null || !options.growing) yield* configured(run);
    for (let from = 0; from < names.length; from += FILES_OPEN_MAX) {
      const some = names.slice(from, from + FILES_OPEN_MAX);
      yield* merged(some.map((name) => measurements(name, run.runId, options)));
    }
    if (end !== null && end.event_id !== toldEnd) {
      toldEnd = end.event_id;
      yield { place: 'meta.yaml', event: end };
    }
  }

  async function* configured({ runId, meta }: { runId: string; meta: RunMeta }): AsyncGenerator<SourceItem> {
    const config = await textsBelow(join(folder, 'params'));
    const tags = await textsBelow(join(folder, 'tags'));
    const experiment = await readExperimentName(dirname(folder));
    const data = {
      source: 'mlflow',
      ...named('name', tags['mlflow.runName'] ?? meta.run_name),
      ...named('experiment', experiment ?? meta.experiment_id),
      ...named('user', tags['mlflow.user'] ?? meta.user_id),
      tags: Object.fromEntries(Object.entries(tags).filter(([name]) => !name.startsWith('mlflow.'))),
    };
    const id = idOf('mlflow', runId, JSON.stringify([data, config]));
    if (id === toldConfig) return;
    toldConfig = id;
    const timestamp = timestampOfSeconds(secondsOfTime(meta.start_time ?? 0)) ?? timestampOfSeconds(0)!;
    yield { place: 'params', event: configuredEvent({ id, runId, timestamp, data, config }) };
  }

  async function* measurements(
    path: string,
    runId: string,
    options: ReadOptions,
  ): AsyncGenerator<Measurement | SourceItem> {
    const lines = files.get(path) ?? new GrowingLines(path, LINE_BYTES_MAX);
    files.set(path, lines);
    const name = relative(join(folder, 'metrics'), path).split(sep).join('/');
    for await (const line of lines.read(options)) {
      if (line.kind === 'restarted') {
        // The source is the folder: it still holds what was read if the file does.
        yield restarted(line.movedTo === path ? folder : null);
        continue;
      }
      const text = line.bytes.toString('utf8').trim();
      if (text === '') continue;
      const { number } = line;
      const measurement = measurementOf({ number, text }, { name, runId });
      yield measurement ??
        faultAt(`metrics/${name}:${number}`, 'must be "timestamp value step", as MLflow writes a metric');
    }
  }

  return { path: folder, read };
}

function measurementOf(
  line: { number: number; text: string },
  of: { name: string; runId: string },
): Measurement | null {
  // Later versions add the dataset; the first ones had no step.
  const [time, text, stepText = '0'] = line.text.split(' ');
  const value = numberOf(text ?? '');
  const step = Number(stepText);
  const seconds = secondsOfTime(/^\d+$/.test(time!) ? Number(time) : Number.NaN);
  const timestamp = timestampOfSeconds(seconds);
  if (value === null || timestamp === null || !Number.isSafeInteger(step)) return null;
  return {
    place: `metrics/${of.name}:${line.number}`,
    seconds,
    event: {
      event_id: idOf('mlflow', of.runId, of.name, line.number, line.text),
      event_type: eventNames.METRICS,
      timestamp,
      run_id: of.runId,
      data: { [metricName(of.name)]: numberValue(value), step },
    },
  };
}

/** A number as Python writes it, or null. */
function numberOf(text: string): number | null {
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case 'infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
  }
}

/** Merges what several files have by time; each is in its own order. A fault comes when its file's turn does. */
async function* merged(
  sources: readonly AsyncGenerator<Measurement | SourceItem>[],
): AsyncGenerator<SourceItem> {
  const waiting: { next: Measurement; source: AsyncGenerator<Measurement | SourceItem> }[] = [];
  try {
    for (const source of sources) {
      const faults = await advance(source, waiting);
      yield* faults;
    }
    while (waiting.length > 0) {
      let first = 0;
      for (let at = 1; at < waiting.length; at += 1) {
        if (waiting[at]!.next.seconds < waiting[first]!.next.seconds) first = at;
      }
      const [{ next, source }] = waiting.splice(first, 1) as [(typeof waiting)[number]];
      yield { place: next.place, event: next.event };
      const faults = await advance(source, waiting, first);
      yield* faults;
    }
  } finally {
    for (const { source } of waiting) await source.return(undefined);
  }
}

/** Puts the source back with its next measurement, at its former place. Returns the faults before that one. */
async function advance(
  source: AsyncGenerator<Measurement | SourceItem>,
  waiting: { next: Measurement; source: AsyncGenerator<Measurement | SourceItem> }[],
  at = waiting.length,
): Promise<SourceItem[]> {
  const faults: SourceItem[] = [];
  for (let step = await source.next(); !step.done; step = await source.next()) {
    if ('seconds' in step.value) {
      waiting.splice(at, 0, { next: step.value, source });
      break;
    }
    faults.push(step.value);
  }
  return faults;
}

function endEvent(runId: string, meta: RunMeta) {
  const end = endOfStatus(meta.status);
  if (end === null) return null;
  const timestamp = timestampOfSeconds(secondsOfTime(meta.end_time ?? meta.start_time ?? 0));
  if (timestamp === null) return null;
  return {
    event_id: idOf('mlflow', runId, end.reason, timestamp),
    event_type: end.end === 'finished' ? eventNames.RUN_FINISHED : eventNames.RUN_FAILED,
    timestamp,
    run_id: runId,
    data: end.end === 'finished' ? {} : { reason: end.reason },
  };
}

function named(name: string, value: string | null | undefined): Record<string, string> {
  return value === null || value === undefined || value === '' ? {} : { [name]: cutText(value, 256) };
}

/** Returns the paths of all files below a folder. A name such as `val/acc` lies in a folder of its own. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
  if (files.length > FILES_MAX) throw new Error(`${basename(folder)} has more than ${FILES_MAX} files`);
  return files.map((entry) => join(entry.parentPath, entry.name));
}

/** Returns the texts of the files below a folder by their names. */
async function textsBelow(folder: string): Promise<Record<string, string>> {
  const paths = (await filesBelow(folder)).sort().slice(0, PARAMS_MAX);
  const texts: Record<string, string> = {};
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => null);
    const name = relative(folder, path).split(sep).join('/');
    if (text !== null && name !== '__proto__') texts[name] = cutText(text, PARAM_CHARS_MAX);
  }
  return texts;
}
