import { readFileSync } from 'node:fs';
import { warnOfUnreadVariables } from '@runlog/service-kit/misspelt-variables';
import { nearestName } from '@runlog/service-kit/nearest-name';
import { printable, printableLines } from '@runlog/service-kit/printable';
import { type Command, CommandError, type ExitCode, exitCodes, UsageError } from './command.ts';
import { commandHelp, overview } from './help.ts';
import { leaveSignals, stopWasAsked } from './stop-signal.ts';
import { type StreamWatch, watchStreams } from './unread-streams.ts';

interface TableEntry {
  readonly name: string;
  readonly summary: string;
  /** Each command is loaded only when it is asked for: `runlog runs` must not wait until the services are loaded. */
  readonly load: () => Promise<{ command: Command }>;
}

const table: readonly TableEntry[] = [
  {
    name: 'up',
    summary: 'run ingest, aggregator and gateway in one process',
    load: () => import('./commands/up.ts'),
  },
  {
    name: 'simulate',
    summary: 'send believable training runs to ingest',
    load: () => import('./commands/simulate.ts'),
  },
  {
    name: 'import',
    summary: 'send recordings to ingest: events in JSON, TensorBoard, wandb, MLflow, CSV',
    load: () => import('./commands/import.ts'),
  },
  { name: 'runs', summary: 'list runs', load: () => import('./commands/runs.ts') },
  { name: 'show', summary: 'show one run and its event log', load: () => import('./commands/show.ts') },
  {
    name: 'figures',
    summary: 'chart the figures of one run, or print them as CSV',
    load: () => import('./commands/figures.ts'),
  },
  { name: 'tail', summary: 'follow the event log of one run', load: () => import('./commands/tail.ts') },
  {
    name: 'replay',
    summary: 'print events or states from the topic, from any offset or time',
    load: () => import('./commands/replay.ts'),
  },
  {
    name: 'verify',
    summary: 'prove that the snapshots equal a fold of the topic',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'rebuild',
    summary: 'write all snapshots anew from the topic and switch to them',
    load: () => import('./commands/rebuild.ts'),
  },
  { name: 'delete', summary: 'delete runs', load: () => import('./commands/delete.ts') },
  {
    name: 'rejected',
    summary: 'list rejected events with the reasons',
    load: () => import('./commands/rejected.ts'),
  },
  { name: 'keys', summary: 'add, list and revoke keys', load: () => import('./commands/keys.ts') },
  {
    name: 'topics',
    summary: 'print the topics, or create those that are missing',
    load: () => import('./commands/topics.ts'),
  },
  {
    name: 'doctor',
    summary: 'find out what is wrong with the cluster or the folder, and what mends it',
    load: () => import('./commands/doctor.ts'),
  },
];

/** How long the last lines on stderr wait for their reader, and those of a command that was stopped. */
const LAST_LINES_MS = 1_000;

/** Runs one command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const streams = watchStreams();
  const code = await run(args, streams);
  const wasStopped = leaveSignals();
  // What a command prints waits for its reader, unless somebody has stopped the command. What it says on stderr does not.
  if (!wasStopped) await written(process.stdout);
  process.exitCode = streams.codeAfter(code);
  setTimeout(() => process.exit(), LAST_LINES_MS).unref();
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

async function run(args: readonly string[], streams: StreamWatch): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(overview(table, version()));
    return exitCodes.usage;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`);
    return exitCodes.ok;
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    process.stdout.write(overview(table, version()));
    return exitCodes.ok;
  }
  const wanted = name === 'help' ? rest[0]! : name;
  const entry = table.find((candidate) => candidate.name === wanted);
  if (entry === undefined) return unknownCommand(wanted);
  const { command } = await entry.load();
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (name === 'help' || options.includes('--help') || options.includes('-h')) {
    process.stdout.write(commandHelp({ ...entry, command }));
    return exitCodes.ok;
  }
  // "up" warns in its own lines, as the services do, and "doctor" in its report.
  if (wanted !== 'up' && wanted !== 'doctor') {
    warnOfUnreadVariables(process.env, {
      warn: (_fields, text) => process.stderr.write(`runlog: ${printable(text)}\n`),
    });
  }
  if (command.worksUnread === true) streams.workUnread();
  try {
    return await command.run(rest, process.env);
  } catch (error) {
    return await explain(error, wanted);
  }
}

function unknownCommand(name: string): ExitCode {
  const nearest = nearestName(
    name,
    table.map((entry) => entry.name),
  );
  const hint = nearest === null ? '' : ` Did you mean "runlog ${nearest}"?`;
  const what = printable(`there is no command "${name}".${hint}`);
  process.stderr.write(`runlog: ${what}\n"runlog help" lists them.\n`);
  return exitCodes.usage;
}

async function explain(error: unknown, name: string): Promise<ExitCode> {
  if (error instanceof UsageError) {
    const what = printableLines(error.message);
    process.stderr.write(`runlog ${name}: ${what}\n"runlog ${name} --help" explains it.\n`);
    return exitCodes.usage;
  }
  // This is loaded only here: it brings zod, which `runlog help` should not wait for.
  const { ConfigError, describeConfigError } = await import('@runlog/service-kit/read-config');
  if (error instanceof ConfigError) {
    process.stderr.write(printableLines(describeConfigError(error)));
    return exitCodes.usage;
  }
  if (stopWasAsked() && error instanceof Error && error.name === 'AbortError') {
    process.stderr.write(`runlog ${name}: stopped before the end\n`);
    return exitCodes.failed;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`runlog ${name}: ${printableLines(error.message)}\n`);
    return error.exitCode;
  }
  throw error;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version: unknown }).version);
}
