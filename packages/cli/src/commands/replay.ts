import { setTimeout as delay } from 'node:timers/promises';
import type { RunMeta } from '@runlog/records/meta-record';
import { refuseOtherFold } from '@runlog/run-feed/prepare-topics';
import { type ReplayOptions, type ReplayRange, replay } from '@runlog/run-feed/replay';
import { RunTable } from '@runlog/run-feed/run-table';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { printableJson } from '@runlog/service-kit/printable';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { type Command, CommandError, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import { logAccessVariables, requireMeta, withLog } from '../log/log-access.ts';
import { unreadableLine } from '../log/unreadable-line.ts';
import { print } from '../print.ts';
import { recordJson, recordText } from '../record-text.ts';
import { speedOf } from '../speed-option.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  from: {
    type: 'string',
    value: 'OFFSET|TIME',
    help: 'where to begin: an offset, or a time such as 2026-01-03T23:00:00Z',
  },
  to: {
    type: 'string',
    value: 'OFFSET|TIME',
    help: 'where to end (exclusive; default: the present end of the topic)',
  },
  speed: {
    type: 'string',
    value: 'Nx',
    help: 'pace the records by their times of arrival, such as 1x or 10x',
  },
  format: {
    type: 'string',
    value: 'text|json',
    help: 'lines for a person, or JSON lines (default: text on a terminal, else json)',
  },
  states: { type: 'boolean', help: "print each run's snapshot at the end of the range instead of records" },
  each: { type: 'boolean', help: 'with --states: print the snapshot after each record of the range' },
} as const;

export const command: Command = {
  usage: '[RUN|GLOB] [options]',
  description:
    'Prints the records of the events topic in order of arrival, one line each: those of one run (cluster/run/group), of the runs that a glob matches, or of all runs. A line of JSON has the bytes of the event and its `entry`, as the event log shows it, but without the episode. With --states it prints the snapshots that a fold of the topic gives, as of any offset or time, as JSON. It can run beside the services and changes nothing.\nExit code: 0 printed, 1 there is no such run or no record in the range (stderr says which), 3 the log cannot be reached.',
  options,
  examples: [
    'runlog replay local/run-7/default',
    'runlog replay "c1/*" --from 2026-01-03T23:00:00Z --speed 10x',
    'runlog replay local/run-7/default --states --to 4711',
  ],
  environment: logAccessVariables,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 1 });
    if (values.each === true && values.states !== true) throw new UsageError('--each needs --states');
    if (values.states === true && values.format === 'text') {
      throw new UsageError('--states prints JSON only');
    }
    const isForPerson = isTextWanted(values.format);
    const wanted = {
      glob: positionals[0] ?? '*',
      from: boundOf('from', values.from),
      to: boundOf('to', values.to),
      speed: speedOf(values.speed),
    };
    return withLog(env, { command: 'replay', readOnly: true }, async ({ io, config }) => {
      const meta = await requireMeta(io, config, 'replay');
      const signal = stopSignal();
      const ranges = await rangesOf(io, { config, meta, ...wanted });
      const print = values.states === true ? printStates : printRecords;
      const printed = await print({
        ...{ io, config, meta, signal, ranges },
        matches: compileGlob(wanted.glob),
        each: values.each === true,
        isForPerson,
        isOneRun: parseRunKey(wanted.glob) !== null,
        pace: wanted.speed === null ? null : createPace({ speed: wanted.speed, signal }),
      });
      if (printed > 0) return exitCodes.ok;
      // Broken off before anything was found: nothing is known.
      if (signal.aborted) return exitCodes.failed;
      const isWhole = wanted.from === null && wanted.to === null;
      throw new CommandError(nothingFound(wanted.glob, isWhole), exitCodes.failed);
    });
  },
};

function isTextWanted(format: string | undefined): boolean {
  if (format === undefined) return process.stdout.isTTY === true;
  if (format !== 'text' && format !== 'json') {
    throw new UsageError(`--format must be text or json (is "${format}")`);
  }
  return format === 'text';
}

/** `isWhole`: the whole topic was read, not a range of it. */
function nothingFound(glob: string, isWhole: boolean): string {
  if (glob === '*') return `there is no ${isWhole ? 'run in this log' : 'record in this range'}`;
  if (glob.includes('*')) {
    return isWhole
      ? `no run in this log matches "${glob}"`
      : `no run that matches "${glob}" has a record in this range`;
  }
  const absent = isWhole ? `there is no run ${glob} in this log` : `${glob} has no record in this range`;
  if (parseRunKey(glob) !== null) return absent;
  const wider = glob.includes('/') ? `${glob}/*` : `*/${glob}/*`;
  return `${absent}; write cluster/run/group, or a glob such as "${wider}"`;
}

type Bound = { readonly offset: number } | { readonly timestampMs: number } | null;

interface PrintOptions {
  readonly io: TopicIo;
  readonly config: LogConfig;
  readonly meta: RunMeta;
  readonly signal: AbortSignal;
  readonly ranges: readonly ReplayRange[];
  readonly matches: (key: string) => boolean;
  readonly each: boolean;
  /** Lines for a person, not JSON. */
  readonly isForPerson: boolean;
  readonly isOneRun: boolean;
  readonly pace: ((record: LogRecord) => Promise<void>) | null;
}

async function printRecords(options: PrintOptions): Promise<number> {
  const { io, config, ranges, signal, isForPerson } = options;
  const { events: topic } = config.topics;
  let printed = 0;
  for await (const { partition, record } of replay(io, { topic, ranges, signal, ...sayUnreadable(topic) })) {
    if (!options.matches(record.key)) continue;
    await options.pace?.(record);
    const line = isForPerson
      ? recordText(record, { withKey: !options.isOneRun })
      : shownJson(recordJson(partition, record));
    await print(`${line}\n`, signal);
    printed += 1;
  }
  return printed;
}

/** Names the batches that are left out. They do not go to stdout, which may be read by a program. */
function sayUnreadable(topic: string): Pick<ReplayOptions, 'onUnreadable'> {
  return {
    onUnreadable: (batch, partition) =>
      void process.stderr.write(`${unreadableLine(batch, { topic, partition })}\n`),
  };
}

/**
 * Prints the states of a range. States need the whole history below the range, so the fold begins at the start of the
 * topic.
 */
async function printStates(options: PrintOptions): Promise<number> {
  const { io, config, meta, ranges, signal } = options;
  // With another fold version, the states would not be those that anybody has seen.
  refuseOtherFold(meta);
  const table = new RunTable(meta);
  const begins = new Map(ranges.map(({ partition, from }) => [partition, from]));
  const whole = ranges.map((range) => ({ ...range, from: 0 }));
  let printed = 0;
  for await (const { partition, record } of replay(io, {
    topic: config.topics.events,
    ranges: whole,
    signal,
    ...sayUnreadable(config.topics.events),
  })) {
    if (!options.matches(record.key)) continue;
    table.fold([record], partition);
    if (!options.each || record.offset < begins.get(partition)!) continue;
    await options.pace?.(record);
    await print(stateLine(record.key, table.states.get(record.key) ?? null), signal);
    printed += 1;
  }
  if (options.each) return printed;
  for (const [key, state] of table.states) await print(stateLine(key, state), signal);
  return table.states.size;
}

function stateLine(key: string, state: RunSnapshot | null): string {
  return `${shownJson(JSON.stringify({ key, state }))}\n`;
}

/** A pipe gets the stored bytes; a terminal must not. */
function shownJson(json: string): string {
  return process.stdout.isTTY ? printableJson(json) : json;
}

async function rangesOf(
  io: TopicIo,
  wanted: { config: LogConfig; meta: RunMeta; glob: string; from: Bound; to: Bound },
): Promise<ReplayRange[]> {
  const { config, meta, glob, from, to } = wanted;
  const topic = config.topics.events;
  const bounds = await io.bounds(topic);
  const only = glob.includes('*') ? null : partitionOf(glob, meta.partitions);
  const ranges: ReplayRange[] = [];
  for (const [partition, { startOffset, stableEnd }] of bounds.entries()) {
    if (only !== null && partition !== only) continue;
    const offsetOf = async (bound: Bound, fallback: number) => {
      if (bound === null) return fallback;
      if ('offset' in bound) return bound.offset;
      return io.offsetAtTime({ topic, partition, timestampMs: bound.timestampMs });
    };
    const first = Math.max(await offsetOf(from, startOffset), startOffset);
    ranges.push({ partition, from: first, to: Math.min(await offsetOf(to, stableEnd), stableEnd) });
  }
  return ranges;
}

function boundOf(name: string, text: string | undefined): Bound {
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  const timestampMs = Date.parse(text);
  if (Number.isNaN(timestampMs)) {
    throw new UsageError(`--${name} must be an offset or an ISO time (is "${text}")`);
  }
  return { timestampMs };
}

/** Waits until a record is due: its distance in time of arrival from the first record, divided by the speed. */
function createPace(options: { speed: number; signal: AbortSignal }): (record: LogRecord) => Promise<void> {
  let first: { timestampMs: number; atMs: number } | null = null;
  return async ({ timestampMs }) => {
    first ??= { timestampMs, atMs: performance.now() };
    const dueMs = first.atMs + (timestampMs - first.timestampMs) / options.speed;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await delay(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
  };
}
