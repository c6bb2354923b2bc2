import { basename } from 'node:path';
import { eventNames } from '@runlog/schema/events/event-types';
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
import {
  type TagPlugins,
  type TensorboardEvent,
  type TensorboardFact,
  tensorboardEvent,
} from './tensorboard-event.ts';
import { TfRecords } from './tf-records.ts';

/**
 * Reads one TensorBoard event file. The files of a directory are one run: whoever reads a directory makes a source for
 * each of them and reads them in the order of `compareEventFiles`.
 */
export function tensorboardSource(path: string, runId: string): Source {
  const file = new GrowingFile(path);
  const leftOut = new LeftOut();
  let records = new TfRecords();
  let plugins: TagPlugins = new Map();

  async function* read({ growing, ...options }: ReadOptions): AsyncGenerator<SourceItem> {
    for await (const part of file.read(options)) {
      if (part.kind === 'restarted') {
        records = new TfRecords();
        plugins = new Map();
        yield restarted(part.movedTo);
        continue;
      }
      for (const record of records.push(part.bytes)) {
        const place = `byte ${record.at}`;
        if (record.kind === 'damaged') yield faultAt(place, record.message);
        else if (record.kind === 'too_large') leftOut.add('records over 16 MiB');
        else yield* itemsOf(record.bytes, place);
      }
    }
    yield* leftOut.take();
    if (!growing && records.isCut) {
      yield faultAt('end', CUT_MESSAGE);
    }
  }

  function* itemsOf(record: Buffer, place: string): Generator<SourceItem> {
    const event = tensorboardEvent(record, plugins);
    if (event === null) {
      yield faultAt(place, 'a record is no TensorBoard event');
      return;
    }
    for (const fact of event.facts) if (fact.kind === 'left_out') leftOut.add(fact.what);
    const timestamp = timestampOfSeconds(event.wallTimeSeconds);
    const events = timestamp === null ? [] : eventsOf(event, { record, runId, timestamp });
    if (timestamp === null && event.facts.some((fact) => fact.kind !== 'left_out')) {
      yield faultAt(place, `the wall time of a record is no time (${event.wallTimeSeconds} s since 1970)`);
    }
    for (const made of events) yield { place, event: made };
  }

  return { path, read };
}

function eventsOf(
  { facts, step }: TensorboardEvent,
  of: { record: Buffer; runId: string; timestamp: string },
): SourceEvent[] {
  const envelope = (ordinal: number) => ({
    event_id: idOf('tensorboard', of.record, ordinal),
    timestamp: of.timestamp,
    run_id: of.runId,
  });
  const scalars = facts.filter((fact) => fact.kind === 'scalar');
  const events = facts.flatMap((fact, ordinal): SourceEvent[] => {
    const event = otherEvent(fact, step);
    if (event === null) return [];
    if (fact.kind !== 'hparams') return [{ ...envelope(ordinal), ...event }];
    const data = { source: 'tensorboard', ...(fact.group === '' ? {} : { group: fact.group }) };
    const { event_id: id, timestamp, run_id: runId } = envelope(ordinal);
    return [configuredEvent({ id, runId, timestamp, data, config: fact.hparams })];
  });
  if (scalars.length === 0) return events;
  const values = scalars.map(({ tag, value }) => [metricName(tag), numberValue(value)]);
  const metrics = {
    ...envelope(-1),
    event_type: eventNames.METRICS,
    data: { ...Object.fromEntries(values), step },
  };
  return [metrics, ...events];
}

/** TensorFlow's levels of logging are Python's. */
const severities = new Map([
  [10, 'debug'],
  [20, 'info'],
  [30, 'warning'],
  [40, 'error'],
  [50, 'critical'],
]);

/** `SessionLog.status`: 1 start, 2 stop, 3 checkpoint. */
const sessionTypes = new Map([
  [1, 'SESSION_STARTED'],
  [2, 'SESSION_STOPPED'],
  [3, 'CHECKPOINT_SAVED'],
]);

function otherEvent(fact: TensorboardFact, step: number): Record<string, unknown> | null {
  switch (fact.kind) {
    case 'text': {
      const text = cutText(fact.text);
      return {
        event_type: eventNames.LOG_RECORD,
        message: `${cutText(fact.tag, 256)}: ${text}`,
        data: { tag: fact.tag, step },
      };
    }
    case 'log':
      return {
        event_type: eventNames.LOG_RECORD,
        severity: severities.get(fact.level) ?? 'info',
        message: cutText(fact.text),
        data: { step },
      };
    case 'session':
      return {
        event_type: sessionTypes.get(fact.status) ?? 'SESSION_STATUS',
        message: cutText(fact.text),
        data: { step },
      };
    case 'end':
      return { event_type: fact.isFailure ? eventNames.RUN_FAILED : eventNames.RUN_FINISHED, data: {} };
    case 'hparams':
      return {};
    case 'scalar':
    case 'left_out':
      return null;
    default: {
      const never: never = fact;
      throw new Error(`unknown fact ${JSON.stringify(never)}`);
    }
  }
}

const eventFileName = /^events\.out\.tfevents\.(\d+)\./;

/** The profiler leaves empty files of this kind beside those of events. */
export function isEventFile(name: string): boolean {
  return name.includes('tfevents') && !name.endsWith('.profile-empty');
}

/** Orders the event files of a directory by the second in which each was begun, which their names hold. */
export function compareEventFiles(left: string, right: string): number {
  const begun = (path: string) => Number(eventFileName.exec(basename(path))?.[1] ?? Number.NaN);
  const difference = begun(left) - begun(right);
  return Number.isNaN(difference) || difference === 0 ? (left < right ? -1 : 1) : difference;
}
