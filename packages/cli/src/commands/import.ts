import { stat } from 'node:fs/promises';
import { type Command, CommandError, exitCodes, parseCommandLine, UsageError } from '../command.ts';
import { formatCount, formatDuration, formatRate } from '../format.ts';
import { chooseReader } from '../import/choose-reader.ts';
import { type FileImport, importFile, type Pace } from '../import/import-file.ts';
import { createImportReport } from '../import/import-report.ts';
import { runIdOfFile } from '../import/number-lines.ts';
import { createProgress } from '../progress.ts';
import {
  type ClientConfig,
  gatewayVariables,
  ingestVariables,
  readClientConfig,
  runKeyPartOption,
} from '../services/client-config.ts';
import { speedOf } from '../speed-option.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  run: {
    type: 'string',
    value: 'NAME',
    help: 'run for lines without run_id (default: named after the file)',
  },
  cluster: {
    type: 'string',
    value: 'NAME',
    help: 'cluster (default: local); with RUNLOG_KEY the key determines it',
  },
  group: { type: 'string', value: 'NAME', help: 'group for lines without group_id' },
  'as-fast-as-possible': { type: 'boolean', help: 'the default' },
  speed: {
    type: 'string',
    value: 'Nx',
    help: 'pace the events by their recorded timestamps, such as 1x or 10x',
  },
  url: { type: 'string', value: 'URL', help: 'address of ingest; overrides RUNLOG_INGEST_URL' },
} as const;

export const command: Command = {
  usage: 'FILE… [options]',
  description:
    'Sends recorded events.jsonl files of any size (also .gz), line by line. Every line is numbered by its place in the file, so importing a file twice counts nothing twice, and a file that has grown adds only its new lines. Broken lines are reported and skipped; the rest is sent.\nExit code: 0 every line was accepted, 1 a line was rejected, 2 wrong usage, 3 ingest could not be reached.',
  options,
  examples: [
    'runlog import telemetry/2025-12-05_111053.events.jsonl',
    'runlog import run-7/events.jsonl.gz --run run-7 --speed 10x',
    'runlog import logs/*.jsonl --cluster c2',
  ],
  environment: [...ingestVariables, gatewayVariables[0]],
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, {
      argumentsMax: Number.POSITIVE_INFINITY,
    });
    if (values['as-fast-as-possible'] === true && values.speed !== undefined) {
      throw new UsageError('--as-fast-as-possible and --speed cannot be combined');
    }
    const config = readClientConfig(env, { ingestUrl: values.url });
    const runId = runKeyPartOption('run', values.run);
    const files = await filesToImport(positionals, runId);
    return importFiles(files, {
      config,
      clusterId: runKeyPartOption('cluster', values.cluster),
      groupId: runKeyPartOption('group', values.group),
      speed: speedOf(values.speed) ?? undefined,
    });
  },
};

interface SourceFile {
  readonly path: string;
  readonly bytes: number;
  readonly runId: string;
}

async function filesToImport(paths: readonly string[], runId: string | undefined): Promise<SourceFile[]> {
  if (paths.length === 0) throw new UsageError('name at least one file');
  const files: SourceFile[] = [];
  const faults: string[] = [];
  for (const path of paths) {
    const file = await stat(path).catch((error: NodeJS.ErrnoException) => error);
    if (file instanceof Error)
      faults.push(`${path}: ${file.code === 'ENOENT' ? 'no such file' : file.message}`);
    else if (file.isDirectory()) faults.push(`${path}: is a directory; name the files in it`);
    else files.push({ path, bytes: file.size, runId: runId ?? runIdOfFile(path) });
  }
  const byName = new Map<string, string>();
  for (const file of runId === undefined ? files : []) {
    const other = byName.get(file.runId);
    if (other !== undefined && other !== file.path) {
      faults.push(
        `${other} and ${file.path} would both be the run "${file.runId}"; import them one by one with --run`,
      );
    }
    byName.set(file.runId, file.path);
  }
  if (faults.length > 0) throw new UsageError(faults.join('\n  '));
  return files;
}

/** `undefined`: as fast as possible. */
interface ImportOptions {
  readonly config: ClientConfig;
  readonly clusterId: string | undefined;
  readonly groupId: string | undefined;
  readonly speed: number | undefined;
}

async function importFiles(files: readonly SourceFile[], options: ImportOptions) {
  const { config, clusterId, groupId } = options;
  const signal = stopSignal();
  const now = () => performance.now();
  const progress = createProgress({ stream: process.stderr, now });
  const report = createImportReport({ config, clusterId });
  const total: FileImport = { found: 0, accepted: 0, rejected: 0, normalized: 0, bytesRead: 0 };
  const startedAtMs = now();
  for (const file of files) {
    const fileStartedAtMs = now();
    const result = await importFile({
      path: file.path,
      read: await chooseReader(file.path),
      runId: file.runId,
      groupId,
      target: { ingestUrl: config.ingestUrl, key: config.currentKey, clusterId },
      pace: options.speed === undefined ? undefined : pace(options.speed, now),
      now,
      random: Math.random,
      signal,
      onRejected: (place, fault) =>
        progress.note(
          `${file.path}:${place}: ${fault.code}: ${fault.path === '' ? '' : `${fault.path} `}${fault.message}`,
        ),
      onRetry: ({ reason }) => progress.trouble(`${reason}; trying again`),
      onProgress: (soFar) =>
        progress.update(() => progressLine(file, soFar, (now() - fileStartedAtMs) / 1_000)),
      onRun: (run) => report.begins(run),
    }).catch((error: unknown) => {
      progress.end();
      if (signal.aborted) {
        throw new CommandError(
          'stopped before the end; run the same command again to continue',
          exitCodes.failed,
        );
      }
      if (error instanceof CommandError) {
        throw new CommandError(`${file.path}: ${error.message}`, error.exitCode, { cause: error });
      }
      throw error;
    });
    progress.end();
    for (const field of ['found', 'accepted', 'rejected', 'normalized', 'bytesRead'] as const) {
      total[field] += result[field];
    }
    process.stdout.write(`${fileLine(file, result)}\n`);
  }
  const seconds = (now() - startedAtMs) / 1_000;
  process.stdout.write(
    `${formatCount(total.accepted)} events accepted, ${formatCount(total.rejected)} rejected, in ${formatDuration(seconds)} (${formatRate(total.accepted / Math.max(seconds, 0.001))}/s)\n`,
  );
  for (const line of await report.lines({ accepted: total.accepted, signal }))
    process.stdout.write(`${line}\n`);
  return total.rejected === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Says when an event is due: its recorded distance from the first event, divided by the speed. */
function pace(speed: number, now: () => number): Pace {
  let first: { occurredAtMs: number; atMs: number } | null = null;
  return {
    waitMs: (occurredAtMs) => {
      first ??= { occurredAtMs, atMs: now() };
      return Math.max(0, first.atMs + (occurredAtMs - first.occurredAtMs) / speed - now());
    },
  };
}

function progressLine(file: SourceFile, soFar: FileImport, seconds: number): string {
  const share = file.bytes === 0 ? 1 : Math.min(1, soFar.bytesRead / file.bytes);
  const left = share > 0.01 && share < 1 ? `, ${formatDuration((seconds / share) * (1 - share))} left` : '';
  const rate = formatRate(soFar.accepted / Math.max(seconds, 0.001));
  return `${file.path}: ${formatCount(soFar.found)} events, ${Math.floor(share * 100)} %, ${rate} events/s${left}`;
}

function fileLine(file: SourceFile, result: FileImport): string {
  const rejected = result.rejected === 0 ? '' : `, ${formatCount(result.rejected)} rejected`;
  const normalized =
    result.normalized === 0 ? '' : `, ${formatCount(result.normalized)} with bare NaN or Infinity`;
  return `${file.path}: ${formatCount(result.accepted)} events accepted${rejected}${normalized}`;
}
