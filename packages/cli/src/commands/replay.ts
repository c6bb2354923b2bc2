import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { controlOf } from '@runlog/records/control-record';
import { receivedAtOf } from '@runlog/records/event-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { refuseOtherFold } from '@runlog/run-feed/prepare-topics';
import { type ReplayRange, replay } from '@runlog/run-feed/replay';
import { RunTable } from '@runlog/run-feed/run-table';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { parseRunKey } from '@runlog/schema/run/run-key';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { type Command, CommandError, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import { logAccessVariables, requireMeta, withLog } from '../log/log-access.ts';
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
  states: { type: 'boolean', help: "print each run's snapshot at the end of the range instead of records" },
  each: { type: 'boolean', help: 'with --states: print the snapshot after each record of the range' },
} as const;

export const command: Command = {
  usage: '[RUN|GLOB] [options]',
  description:
    'Prints the records of the events topic in order of arrival, one JSON line each: those of one run (cluster/run/group), of the runs that a glob matches, or of all runs. With --states it prints the snapshots that a fold of the topic gives, as of any offset or time. It can run beside the services and changes nothing.\nExit code: 0 printed, 1 there is no such run or no record in the range (stderr says which), 3 the log cannot be reached.',
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
    const wanted = {
      glob: positionals[0] ?? '*',
      from: boundOf('from', values.from),
      to: boundOf('to', values.to),
      speed: speedOf(values.speed),
    };
    return withLog(env, { command: 'replay', readOnly: true }, async ({ io, config }) => {
      const meta = await requireMeta(io, config);
      const signal = stopSignal();
      const ranges = await rangesOf(io, { config, meta, ...wanted });
      const print = values.states === true ? printStates : printRecords;
      const printed = await print({
        ...{ io, config, meta, signal, ranges },
        matches: compileGlob(wanted.glob),
        each: values.each === true,
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
  readonly pace: ((record: LogRecord) => Promise<void>) | null;
}

async function printRecords(options: PrintOptions): Promise<number> {
  const { io, config, ranges, signal } = options;
  let printed = 0;
  for await (const { partition, record } of replay(io, { topic: config.topics.events, ranges, signal })) {
    if (!options.matches(record.key)) continue;
    await options.pace?.(record);
    await print(recordLine(partition, record));
    printed += 1;
  }
  return printed;
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
  })) {
    if (!options.matches(record.key)) continue;
    table.fold([record], partition);
    if (!options.each || record.offset < begins.get(partition)!) continue;
    await options.pace?.(record);
    await print(`${JSON.stringify({ key: record.key, state: table.states.get(record.key) ?? null })}\n`);
    printed += 1;
  }
  if (options.each) return printed;
  for (const [key, state] of table.states) await print(`${JSON.stringify({ key, state })}\n`);
  return table.states.size;
}

/** Prints the value's own bytes. A line break can only stand between its tokens, where a space means the same. */
function recordLine(partition: number, record: LogRecord): string {
  const { offset, key, value } = record;
  const received_at = receivedAtOf(record);
  const control = controlOf(record);
  const about = JSON.stringify({ partition, offset, key, received_at, control }).slice(0, -1);
  return `${about},"event":${value?.toString('utf8').replace(/[\r\n]+/g, ' ') ?? 'null'}}\n`;
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

/** Waits for a slow reader of our output, so that it does not pile up in memory. */
async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
