import { looseJson } from './loose-json.ts';
import { eachField, textOf, type WireField } from './protobuf.ts';

/** What a record of a `.wandb` file says, as far as runlog has a use for it. */
export type WandbRecord =
  | {
      readonly kind: 'run';
      readonly runId: string;
      readonly startSeconds: number | null;
      readonly about: Readonly<Record<string, unknown>>;
      readonly config: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'config'; readonly config: Readonly<Record<string, unknown>> }
  | { readonly kind: 'history'; readonly step: number | null; readonly items: WandbItems }
  | { readonly kind: 'summary'; readonly items: WandbItems }
  | { readonly kind: 'exit'; readonly exitCode: number; readonly runtimeSeconds: number }
  | { readonly kind: 'alert'; readonly title: string; readonly text: string; readonly level: string }
  | { readonly kind: 'preempting' }
  | { readonly kind: 'left_out'; readonly what: string }
  /** What the file says about itself and its writer. */
  | { readonly kind: 'other' };

/** Values by their names. A value inside another one has the names of both, joined by a point. */
export type WandbItems = ReadonlyMap<string, unknown>;

const recordTypes = {
  history: 2,
  summary: 3,
  output: 4,
  config: 5,
  stats: 7,
  artifact: 8,
  alert: 10,
  outputRaw: 13,
  run: 17,
  exit: 18,
  preempting: 23,
  useArtifact: 25,
  outputLogger: 27,
} as const;

/** Reads a `Record`. Returns null if the bytes are none. */
export function wandbRecord(message: Buffer): WandbRecord | null {
  let record: WandbRecord = { kind: 'other' };
  let isWhole = true;
  const isRead = eachField(message, (field) => {
    const read = recordOf(field);
    if (read === null) isWhole = false;
    else if (read !== 'none') record = read;
  });
  return isRead && isWhole ? record : null;
}

function recordOf(field: WireField): WandbRecord | 'none' | null {
  switch (field.number) {
    case recordTypes.run:
      return runRecord(field.bytes);
    case recordTypes.config: {
      const items = itemsOf(field.bytes, 1);
      return items && { kind: 'config', config: configOf(items) };
    }
    case recordTypes.history:
      return historyRecord(field.bytes);
    case recordTypes.summary: {
      const items = itemsOf(field.bytes, 1);
      return items && { kind: 'summary', items };
    }
    case recordTypes.exit: {
      const numbers = new Map<number, number>();
      const isRead = eachField(field.bytes, (part) => numbers.set(part.number, part.varint));
      return isRead
        ? { kind: 'exit', exitCode: numbers.get(1) ?? 0, runtimeSeconds: numbers.get(2) ?? 0 }
        : null;
    }
    case recordTypes.alert: {
      const texts = new Map<number, string>();
      const isRead = eachField(field.bytes, (part) => texts.set(part.number, textOf(part)));
      const [title, text, level] = [1, 2, 3].map((number) => texts.get(number) ?? '');
      return isRead ? { kind: 'alert', title: title!, text: text!, level: level! } : null;
    }
    case recordTypes.preempting:
      return { kind: 'preempting' };
    case recordTypes.output:
    case recordTypes.outputRaw:
    case recordTypes.outputLogger:
      return { kind: 'left_out', what: 'lines of output' };
    case recordTypes.stats:
      return { kind: 'left_out', what: 'system statistics' };
    case recordTypes.artifact:
    case recordTypes.useArtifact:
      return { kind: 'left_out', what: 'artifacts' };
    default:
      return 'none';
  }
}

/** The texts of a `RunRecord` that tell people which run it is. */
const aboutFields = new Map([
  [2, 'entity'],
  [3, 'project'],
  [6, 'group'],
  [7, 'job_type'],
  [8, 'name'],
  [9, 'notes'],
  [12, 'sweep'],
  [13, 'host'],
]);
const TAGS_MAX = 64;

function runRecord(message: Buffer): WandbRecord | null {
  let runId = '';
  let startSeconds: number | null = null;
  let config: Readonly<Record<string, unknown>> = {};
  const about: Record<string, unknown> = {};
  const tags: string[] = [];
  let isWhole = true;
  const isRead = eachField(message, (field) => {
    const name = aboutFields.get(field.number);
    if (name !== undefined && field.bytes.length > 0) about[name] = textOf(field).slice(0, 1_024);
    switch (field.number) {
      case 1:
        runId = textOf(field);
        break;
      case 4: {
        const items = itemsOf(field.bytes, 1);
        if (items === null) isWhole = false;
        else config = configOf(items);
        break;
      }
      case 10:
        if (tags.length < TAGS_MAX) tags.push(textOf(field).slice(0, 256));
        break;
      case 17:
        startSeconds = secondsOf(field.bytes);
        break;
      case 18:
        if (field.varint !== 0) about.resumed = true;
        break;
      case 22:
        if (field.varint !== 0) about.forked = true;
        break;
      default:
    }
  });
  if (!isRead || !isWhole) return null;
  if (tags.length > 0) about.tags = tags;
  return { kind: 'run', runId, startSeconds, about, config };
}

function historyRecord(message: Buffer): WandbRecord | null {
  const items = itemsOf(message, 1);
  if (items === null) return null;
  let step: number | null = null;
  eachField(message, (field) => {
    if (field.number !== 2) return;
    step = 0;
    eachField(field.bytes, (part) => {
      if (part.number === 1) step = part.varint;
    });
  });
  const own = items.get('_step');
  return { kind: 'history', step: typeof own === 'number' ? own : step, items };
}

/** Reads the items in the fields of this number. */
function itemsOf(message: Buffer, number: number): Map<string, unknown> | null {
  const items = new Map<string, unknown>();
  let isWhole = true;
  const isRead = eachField(message, (field) => {
    if (field.number !== number) return;
    const names: string[] = [];
    let key = '';
    let value: unknown;
    isWhole &&= eachField(field.bytes, (part) => {
      if (part.number === 1) key = textOf(part);
      if (part.number === 2) names.push(textOf(part));
      if (part.number === 16) value = looseJson(textOf(part));
    });
    // A value that is no JSON is text of some later version: it is left out, as null is.
    items.set(key === '' ? names.join('.') : key, value ?? null);
  });
  return isRead && isWhole ? items : null;
}

/** The client's own entry in the configuration, and what is known of the machine, are no settings of the run. */
function configOf(items: WandbItems): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [name, value] of items) {
    if (name !== '_wandb' && !name.startsWith('_wandb.') && name !== '__proto__') config[name] = value;
  }
  return config;
}

/** `google.protobuf.Timestamp`. */
function secondsOf(message: Buffer): number {
  let seconds = 0;
  eachField(message, (field) => {
    if (field.number === 1) seconds += field.varint;
    if (field.number === 2) seconds += field.varint / 1e9;
  });
  return seconds;
}
