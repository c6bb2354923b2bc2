import { basename } from 'node:path';
import { eventNames } from '@runlog/schema/events/event-types';
import { runIdOfName } from '../run-name.ts';
import { GrowingFile } from './growing-file.ts';
import { LeftOut } from './left-out.ts';
import {
  CUT_MESSAGE,
  faultAt,
  type ReadOptions,
  restarted,
  type Source,
  type SourceEvent,
  type SourceItem,
} from './source.ts';
import {
  configuredEvent,
  cutText,
  idOf,
  metricName,
  numberValue,
  timestampOfSeconds,
} from './source-event.ts';
import { WandbLog } from './wandb-log.ts';
import { type WandbItems, type WandbRecord, wandbRecord } from './wandb-record.ts';

/** Longer values of the summary, and of the history, are left out: they are data, not what a run says. */
const VALUE_CHARS_MAX = 1_024;
const SUMMARY_VALUES_MAX = 256;
/** The fields of a history record that stand in the event's envelope, or follow from the others. */
const ownFields: ReadonlySet<string> = new Set(['_step', '_timestamp', '_runtime', '_wandb']);

/** What was read of the run so far. */
interface Progress {
  runId: string;
  startSeconds: number;
  /** The time of the newest event. Records without a time happened after it. */
  lastSeconds: number;
  summary: Map<string, unknown>;
}

/** Reads the `.wandb` file of an offline run. `runId`, if it is given, wins over the run's own id. */
export function wandbSource(path: string, runId: string | undefined): Source {
  const file = new GrowingFile(path);
  const leftOut = new LeftOut();
  let log = new WandbLog();
  let progress = beginning(path, runId);

  async function* read({ growing, ...options }: ReadOptions): AsyncGenerator<SourceItem> {
    for await (const part of file.read(options)) {
      if (part.kind === 'restarted') {
        log = new WandbLog();
        progress = beginning(path, runId);
        yield restarted(part.movedTo);
        continue;
      }
      for (const framed of log.push(part.bytes)) {
        const place = `byte ${framed.at}`;
        if (framed.kind === 'damaged') yield faultAt(place, framed.message);
        else if (framed.kind === 'too_large') leftOut.add('records over 16 MiB');
        else yield* itemsOf(framed.bytes, place);
      }
    }
    yield* leftOut.take();
    if (!growing && log.isCut) {
      yield faultAt('end', CUT_MESSAGE);
    }
  }

  function* itemsOf(bytes: Buffer, place: string): Generator<SourceItem> {
    const record = wandbRecord(bytes);
    if (record === null) {
      yield faultAt(place, 'a record is no record of wandb');
      return;
    }
    if (record.kind === 'left_out') leftOut.add(record.what);
    if (record.kind === 'run' && runId === undefined && record.runId !== '') {
      progress.runId = runIdOfName(record.runId);
    }
    const event = eventOf(record, { progress, leftOut, id: idOf('wandb', bytes) });
    if (event !== null) yield { place, event };
  }

  return { path, read };
}

function beginning(path: string, runId: string | undefined): Progress {
  const name = /^run-(.+)\.wandb$/.exec(basename(path))?.[1] ?? basename(path, '.wandb');
  return { runId: runId ?? runIdOfName(name), startSeconds: 0, lastSeconds: 0, summary: new Map() };
}

interface Context {
  readonly progress: Progress;
  readonly leftOut: LeftOut;
  readonly id: string;
}

function eventOf(record: WandbRecord, context: Context): SourceEvent | null {
  const { progress, id } = context;
  switch (record.kind) {
    case 'run':
      if (record.startSeconds !== null && timestampOfSeconds(record.startSeconds) !== null) {
        progress.startSeconds = record.startSeconds;
        progress.lastSeconds = Math.max(progress.lastSeconds, record.startSeconds);
      }
      return configuredEvent({
        ...identity(context),
        data: { source: 'wandb', ...record.about },
        config: record.config,
      });
    case 'config':
      if (Object.keys(record.config).length === 0) return null;
      return configuredEvent({
        ...identity(context),
        data: { source: 'wandb', is_update: true },
        config: record.config,
      });
    case 'history':
      return historyEvent(record, context);
    case 'summary':
      for (const [name, value] of record.items) {
        if (progress.summary.size < SUMMARY_VALUES_MAX || progress.summary.has(name)) {
          progress.summary.set(name, value);
        }
      }
      return null;
    case 'alert':
      return {
        ...envelope(context),
        event_type: 'ALERT_RAISED',
        severity: record.level === '' ? 'info' : record.level.toLowerCase(),
        message: cutText(record.text === '' ? record.title : `${record.title}: ${record.text}`),
        data: { title: cutText(record.title, 1_024), text: cutText(record.text) },
      };
    case 'exit':
      return exitEvent(record, context);
    case 'preempting':
      return { ...envelope(context), event_type: 'RUN_PREEMPTING', data: {} };
    case 'left_out':
    case 'other':
      return null;
    default: {
      const never: never = record;
      throw new Error(`unknown record ${JSON.stringify(never)} in ${id}`);
    }
  }
}

function identity({ progress, id }: Context) {
  return { id, runId: progress.runId, timestamp: timestampOfSeconds(progress.lastSeconds)! };
}

function envelope(context: Context) {
  const { id, runId, timestamp } = identity(context);
  return { event_id: id, timestamp, run_id: runId };
}

function historyEvent(record: WandbRecord & { kind: 'history' }, context: Context): SourceEvent | null {
  const { progress, leftOut } = context;
  const seconds = record.items.get('_timestamp');
  if (typeof seconds === 'number' && timestampOfSeconds(seconds) !== null) progress.lastSeconds = seconds;
  const data = knownValues(record.items, leftOut);
  if (Object.keys(data).length === 0) return null;
  return {
    ...envelope(context),
    event_type: eventNames.METRICS,
    data: record.step === null ? data : { ...data, step: record.step },
  };
}

function knownValues(items: WandbItems, leftOut: LeftOut): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  const typed = typedValues(items, leftOut);
  for (const [name, value] of items) {
    if (ownFields.has(name) || name.startsWith('_wandb.') || value === null) continue;
    if (typed.some((prefix) => name === prefix || name.startsWith(`${prefix}.`))) continue;
    if (typeof value === 'object' && JSON.stringify(value).length > VALUE_CHARS_MAX) {
      leftOut.add('long values');
      continue;
    }
    data[metricName(name)] =
      typeof value === 'number'
        ? numberValue(value)
        : typeof value === 'string'
          ? cutText(value, VALUE_CHARS_MAX)
          : value;
  }
  return data;
}

/**
 * Pictures, tables and histograms are objects that name their type. Their fields may come one by one. Returns their names, and
 * counts them.
 */
function typedValues(items: WandbItems, leftOut: LeftOut): string[] {
  const typed: string[] = [];
  for (const [name, value] of items) {
    const isField = name.endsWith('._type');
    const type = isField
      ? value
      : typeof value === 'object' && value !== null && '_type' in value && value._type;
    if (typeof type !== 'string') continue;
    typed.push(isField ? name.slice(0, -'._type'.length) : name);
    leftOut.add(`values of type ${cutText(type, 64)}`);
  }
  return typed;
}

function exitEvent(record: WandbRecord & { kind: 'exit' }, context: Context): SourceEvent {
  const { progress } = context;
  const { exitCode, runtimeSeconds } = record;
  const endSeconds = progress.startSeconds + runtimeSeconds;
  progress.lastSeconds = Math.max(
    progress.lastSeconds,
    timestampOfSeconds(endSeconds) === null ? 0 : endSeconds,
  );
  const summary = knownValues(progress.summary, new LeftOut());
  const data = { exit_code: exitCode, runtime_seconds: runtimeSeconds, summary };
  const end = envelope(context);
  return exitCode === 0
    ? { ...end, event_type: eventNames.RUN_FINISHED, data }
    : { ...end, event_type: eventNames.RUN_FAILED, data: { ...data, reason: `exit code ${exitCode}` } };
}
