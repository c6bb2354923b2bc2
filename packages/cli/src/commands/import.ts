import { DEFAULT_GROUP } from '@runlog/schema/run/run-key';
import { printable } from '@runlog/service-kit/printable';
import { messageOf } from '@runlog/topic-io/error-message';
import {
  type Command,
  CommandError,
  type ExitCode,
  exitCodes,
  parseCommandLine,
  UsageError,
} from '../command.ts';
import { formatCount, formatDuration, formatRate } from '../format.ts';
import { chooseReader } from '../import/choose-reader.ts';
import { LeftOut } from '../import/formats/left-out.ts';
import { formerRunOf } from '../import/former-run.ts';
import { type FileImport, importFile, type Pace } from '../import/import-file.ts';
import { importFollowed } from '../import/import-followed.ts';
import { ImportReport } from '../import/import-report.ts';
import { STANDARD_INPUT } from '../import/read-bytes.ts';
import { RunsHeld } from '../import/runs-held.ts';
import { type FoundFiles, filesToImport, type SourceFile } from '../import/source-files.ts';
import { createProgress, type Progress } from '../progress.ts';
import {
  type ClientConfig,
  gatewayVariables,
  ingestVariables,
  readClientConfig,
  runKeyPartOption,
} from '../services/client-config.ts';
import type { GatewayTarget } from '../services/gateway-client.ts';
import { clusterOf } from '../services/ingest-cluster.ts';
import { speedOf } from '../speed-option.ts';
import { stopSignal } from '../stop-signal.ts';

const options = {
  run: {
    type: 'string',
    value: 'NAME',
    help: 'run for lines without run_id, and of other formats (default: named after the file or folder)',
  },
  cluster: {
    type: 'string',
    value: 'NAME',
    help: 'cluster (default: local); with RUNLOG_KEY the key determines it',
  },
  follow: {
    type: 'boolean',
    help: 'go on with what is written and with new files, until Ctrl-C or SIGTERM',
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
  usage: 'FILE|FOLDER… [options]',
  description:
    'Sends recordings of any size: one JSON event a line, a JSON array, or events over several lines, also gzip and UTF-16; - is standard input. The gateway is asked which events the run has already, so only new ones are sent: importing a file twice counts nothing twice, and a file that has grown, was resumed or was rewritten adds exactly what is new. An event is known by its event_id, type and time, or by its content if it has no id. What is broken is reported and skipped; the rest is sent.\nTensorBoard event files, offline runs of wandb (.wandb), runs in the file store of MLflow and CSV files with a header are imported as well; below a folder all of these are found (docs/import.md). With --follow what is there is imported, and then what comes, also while the server is away for a while.\nExit code: 0 every event of every file is in the log, 1 something of a file is not, 2 wrong usage, 3 ingest or the gateway could not be reached.',
  options,
  examples: [
    'runlog import telemetry/2025-12-05_111053.events.jsonl',
    'runlog import run-7/events.jsonl.gz --run run-7 --speed 10x',
    'runlog import logs/*.jsonl --cluster c2',
    'runlog import runs/ --follow',
    'runlog import wandb/offline-run-20261128_101500-x7/run-x7.wandb',
    'ssh node7 cat events.jsonl | runlog import - --run run-7',
  ],
  environment: [
    ...ingestVariables,
    gatewayVariables[0],
    ['RUNLOG_VIEW_KEY', 'key that may view, where the gateway asks for one; or RUNLOG_VIEW_KEY_FILE'],
  ],
  worksUnread: true,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, {
      argumentsMax: Number.POSITIVE_INFINITY,
    });
    if (values['as-fast-as-possible'] === true && values.speed !== undefined) {
      throw new UsageError('--as-fast-as-possible and --speed cannot be combined');
    }
    const config = readClientConfig(env, { ingestUrl: values.url });
    const runId = runKeyPartOption('run', values.run);
    const by = {
      config,
      clusterId: runKeyPartOption('cluster', values.cluster),
      groupId: runKeyPartOption('group', values.group),
      speed: speedOf(values.speed) ?? undefined,
    };
    if (values.follow !== true) return importFiles(await filesToImport(positionals, runId), by);
    if (by.speed !== undefined) throw new UsageError('--follow and --speed cannot be combined');
    if (positionals.length === 0) throw new UsageError('name at least one file or folder');
    if (positionals.includes(STANDARD_INPUT)) {
      throw new UsageError('standard input cannot be followed; without --follow it is read to its end');
    }
    return followPaths(positionals, { ...by, runId });
  },
};

/** A folder may hold data sets of thousands of files. */
const PASSED_TOLD_MAX = 20;

/** `undefined`: as fast as possible. */
interface ImportOptions {
  readonly config: ClientConfig;
  readonly clusterId: string | undefined;
  readonly groupId: string | undefined;
  readonly speed: number | undefined;
}

async function importFiles(
  { files, notRead, passed }: FoundFiles,
  options: ImportOptions,
): Promise<ExitCode> {
  const { config, clusterId } = options;
  const signal = stopSignal();
  const now = () => performance.now();
  const progress = createProgress({ stream: process.stderr, now });
  const target = { ingestUrl: config.ingestUrl, key: config.currentKey, clusterId };
  const gateway = gatewayOf(config);
  const runs = new RunsHeld({
    ...{ target: gateway, now, signal, onTrouble: progress.trouble },
    onProgress: (text) => progress.update(() => text),
  });
  const report = new ImportReport({ target: gateway, runs });
  const total = emptyImport();
  const startedAtMs = now();
  let isWhole = notRead.length === 0;
  for (const { path, reason } of notRead) progress.note(`${path}: ${reason}`);
  for (const path of passed.slice(0, PASSED_TOLD_MAX)) {
    progress.note(`${path}: left out, because it begins with no event; a file that is named is always tried`);
  }
  if (passed.length > PASSED_TOLD_MAX) {
    progress.note(`${passed.length - PASSED_TOLD_MAX} more files that begin with no event are left out`);
  }
  const by = { ...options, target, gateway, runs, report, progress, signal, now };
  try {
    const cluster = await clusterOf(target);
    for (const file of files) {
      const result = await importOne(file, { ...by, cluster });
      progress.end();
      if (result === null) isWhole = false;
      else {
        for (const field of countedFields) total[field] += result[field];
        process.stdout.write(`${printable(fileLine(file, result))}\n`);
      }
    }
  } catch (error) {
    progress.end();
    if (!signal.aborted) throw error;
    const message = 'stopped before the end; run the same command again to continue';
    throw new CommandError(message, exitCodes.failed);
  }
  await tellTotals(total, { seconds: (now() - startedAtMs) / 1_000, report, signal });
  return isWhole && total.rejected === 0 ? exitCodes.ok : exitCodes.failed;
}

async function tellTotals(
  total: FileImport,
  by: { seconds: number; report: ImportReport; signal: AbortSignal },
): Promise<void> {
  const rate = formatRate(total.accepted / Math.max(by.seconds, 0.001));
  process.stdout.write(
    `${formatCount(total.accepted)} events accepted, ${formatCount(total.rejected)} rejected, in ${formatDuration(by.seconds)} (${rate}/s)\n`,
  );
  process.stdout.write(
    `${formatCount(total.accepted)} new, ${formatCount(total.known)} known already and not counted again\n`,
  );
  for (const line of await by.report.lines(by.signal)) process.stdout.write(`${printable(line)}\n`);
}

/** Follows files and folders until the first SIGINT or SIGTERM. */
async function followPaths(
  paths: readonly string[],
  { config, clusterId, groupId, runId }: ImportOptions & { readonly runId: string | undefined },
): Promise<ExitCode> {
  const stop = stopSignal();
  const now = () => performance.now();
  const progress = createProgress({ stream: process.stderr, now });
  const gateway = gatewayOf(config);
  const leftOut = new LeftOut();
  const startedAtMs = now();
  const total = await importFollowed({
    ...{ paths, runId, groupId, gateway, progress, stop, now },
    target: { ingestUrl: config.ingestUrl, key: config.currentKey, clusterId },
    reportOf: (runs) => new ImportReport({ target: gateway, runs }),
    onLeftOut: ({ what, count }) => leftOut.add(what, count),
  });
  progress.end();
  if (leftOut.text !== '') progress.note(leftOut.text);
  const { report, isWhole } = total;
  // The end was asked for, so the report waits for nothing.
  await tellTotals(total, { seconds: (now() - startedAtMs) / 1_000, report, signal: stop });
  return isWhole && total.rejected === 0 ? exitCodes.ok : exitCodes.failed;
}

function gatewayOf(config: ClientConfig): GatewayTarget {
  return { gatewayUrl: config.gatewayUrl, key: config.viewKey, keyVariable: 'RUNLOG_VIEW_KEY' };
}

interface ImportingBy extends ImportOptions {
  readonly cluster: string;
  readonly target: Parameters<typeof clusterOf>[0];
  readonly gateway: GatewayTarget;
  readonly runs: RunsHeld;
  readonly report: ImportReport;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** Imports one file. Returns null if it could not be read to its end, which has then been said. */
async function importOne(file: SourceFile, by: ImportingBy): Promise<FileImport | null> {
  const { progress, now, signal, report } = by;
  const startedAtMs = now();
  const leftOut = new LeftOut();
  const note = (place: string, text: string) => progress.note(`${nameOf(file)}${place}: ${text}`);
  try {
    const result = await importFile({
      path: file.path,
      read: chooseReader(file.known, ({ what, count }) => leftOut.add(what, count)),
      clusterId: by.cluster,
      groupId: by.groupId,
      runIdFor: (firstLine) => runIdFor(file, { ...by, firstLine }),
      inode: file.inode,
      ...{ target: by.target, runs: by.runs, now, signal },
      pace: by.speed === undefined ? undefined : pace(by.speed, now),
      random: Math.random,
      onRejected: (place, { code, path, message }) =>
        note(`:${place}`, `${code}: ${path === '' ? '' : `${path} `}${message}`),
      onRetry: ({ reason }) => progress.trouble(`${reason}; trying again`),
      onProgress: (soFar) => progress.update(() => progressLine(file, soFar, (now() - startedAtMs) / 1_000)),
      onEvent: (run, isNew) => report.count(run, isNew),
    });
    if (leftOut.text !== '') note('', leftOut.text);
    return result;
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof CommandError) {
      throw new CommandError(`${nameOf(file)}: ${error.message}`, error.exitCode, { cause: error });
    }
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    note('', `cannot be read: ${messageOf(error)}; what was read before is in the log`);
    return null;
  }
}

/** Names the run of lines that name none. A file that a former version imported under another name keeps that one. */
async function runIdFor(file: SourceFile, by: ImportingBy & { firstLine: Buffer }): Promise<string> {
  if (file.formerRunId === null) return file.runId;
  const run = { cluster_id: by.cluster, run_id: file.formerRunId, group_id: by.groupId ?? DEFAULT_GROUP };
  const runId = (await formerRunOf(by.gateway, { run, firstLine: by.firstLine })) ?? file.runId;
  by.progress.note(
    `${nameOf(file)}: its name cannot be a run's; lines without run_id are of the run "${runId}"`,
  );
  return runId;
}

const countedFields = ['found', 'accepted', 'known', 'rejected', 'normalized', 'bytesRead'] as const;

function emptyImport(): FileImport {
  return { found: 0, accepted: 0, known: 0, rejected: 0, normalized: 0, bytesRead: 0 };
}

function nameOf({ path }: SourceFile): string {
  return path === STANDARD_INPUT ? 'standard input' : path;
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
  return `${nameOf(file)}: ${formatCount(soFar.found)} events, ${Math.floor(share * 100)} %, ${rate} events/s${left}`;
}

function fileLine(file: SourceFile, result: FileImport): string {
  if (result.found === 0) return `${nameOf(file)}: has no events`;
  const parts = [
    `${formatCount(result.accepted)} events accepted`,
    result.known === 0 ? null : `${formatCount(result.known)} known already`,
    result.rejected === 0 ? null : `${formatCount(result.rejected)} rejected`,
    result.normalized === 0 ? null : `${formatCount(result.normalized)} with bare NaN or Infinity`,
  ];
  return `${nameOf(file)}: ${parts.filter((part) => part !== null).join(', ')}`;
}
