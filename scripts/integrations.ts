/**
 * Tries the modules of clients/python/runlog_integrations with the real libraries: `npm run integrations -- --help`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts } from '../test/support/free-ports.ts';
import { ServiceProcess } from '../test/support/service-process.ts';
import { arrivedOf, type Expected, faultsOf, type RunRow } from './integrations/arrived.ts';

const folderOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const INTEGRATIONS = folderOf('integrations');
const RECORDINGS = folderOf('../clients/python/tests/recordings');
const CLI = folderOf('../packages/cli/bin/runlog.js');
const NAMES = ['transformers', 'accelerate', 'lightning', 'stable_baselines3', 'keras', 'ray_tune'] as const;
/** The server is killed at the first of these calls of the training, and starts again at the second. */
const KILLED_AT = 20;
const STARTED_AT = 45;
const TRAINING_MS_MAX = 15 * 60_000;

const HELP = `Usage: npm run integrations [-- NAME…] [--record] [--keep]

Trains a small model on the processor with each library (${NAMES.join(', ')}),
through the module of the same name in clients/python/runlog_integrations, while "runlog up" is killed
with SIGKILL in the middle and started again. Then it compares what arrived with what the library says
that it logged, and runs "runlog verify". A minute each.

The libraries, with their exact versions in scripts/integrations/requirements, are installed once into a
virtual environment in ~/.cache/runlog/integrations. PyTorch for Linux brings CUDA with it: 5 GB. pip's
own settings apply: with an index that has wheels for processors (PIP_EXTRA_INDEX_URL) it takes these,
1 GB. Python 3.11 or newer is needed (RUNLOG_PYTHON names one).

  --record  writes the calls of the libraries into clients/python/tests/recordings, which CI replays
  --keep    keeps the folders of the trainings and says where they are
Exit code: 0 all arrived, 1 something did not, 2 a library cannot be had.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    record: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const unknown = positionals.find((name) => !(NAMES as readonly string[]).includes(name));
if (unknown !== undefined) {
  process.stderr.write(`there is no integration "${unknown}"; there are ${NAMES.join(', ')}\n`);
  process.exit(2);
}

const trainings = new Set<ChildProcess>();
process.once('exit', () => {
  for (const training of trainings) training.kill('SIGKILL');
});
// The processes that this script started end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

interface Tried {
  readonly library: string;
  readonly version: string;
  readonly logged: number;
  readonly arrived: number;
  readonly runs: string;
  readonly kill: string;
  readonly verify: string;
  readonly faults: readonly string[];
}

const tried: Tried[] = [];
for (const name of positionals.length > 0 ? positionals : NAMES) {
  const python = await installed(name);
  process.stdout.write(`${name}: trains\n`);
  const folder = await mkdtemp(join(tmpdir(), `runlog-${name}-`));
  try {
    tried.push(await tryIntegration(name, python, folder));
  } finally {
    if (values.keep) process.stdout.write(`${name}: its folder is ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  }
}
printTable();
process.exitCode = tried.some(({ faults }) => faults.length > 0) ? 1 : 0;

async function tryIntegration(name: string, python: string, folder: string): Promise<Tried> {
  const [ingestPort, gatewayPort] = await freePorts(2);
  const env = {
    RUNLOG_DATA_DIR: join(folder, 'log'),
    RUNLOG_INGEST_PORT: String(ingestPort),
    RUNLOG_GATEWAY_PORT: String(gatewayPort),
  };
  let up = await ServiceProcess.start('up', env);
  const { ingest, gateway } = up.addresses as { ingest: string; gateway: string };
  const faults: string[] = [];
  try {
    const training = train(name, { python, folder, ingest });
    let restarted: Promise<void> | undefined;
    let killedAt = 0;
    let awayMs = 0;
    for await (const line of createInterface({ input: training.stdout! })) {
      const call = Number(/^metrics (\d+)$/.exec(line)?.[1] ?? 0);
      if (call >= KILLED_AT && killedAt === 0) {
        killedAt = call;
        awayMs = -performance.now();
        await up.end('SIGKILL');
        process.stdout.write(`${name}: the server was killed at call ${call}\n`);
      }
      if (call >= STARTED_AT && killedAt > 0 && restarted === undefined) {
        restarted = ServiceProcess.start('up', env).then((started) => {
          up = started;
          awayMs += performance.now();
          process.stdout.write(`${name}: the server is back after ${(awayMs / 1000).toFixed(1)} s\n`);
        });
      }
    }
    const [code, errors] = await training.result;
    await restarted;
    // Each script ends with a training that fails.
    if (code !== 1 || !errors.includes('recording.Failure'))
      faults.push(`the script ended with ${code}:\n${errors}`);
    if (restarted === undefined) faults.push('the training was too short for a kill');
    const drained = await drain(python, folder, ingest);
    const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
    const { rows, found, faults: lost } = await arrivedOf(gateway, expected.metrics);
    faults.push(...lost, ...faultsOf(rows, name));
    const verify = await runlog(['verify'], env);
    if (verify.code !== 0) faults.push(`runlog verify ended with ${verify.code}:\n${verify.output}`);
    for (const { run_id, group_id } of rows.filter(({ status }) => status === 'finished').slice(0, 1)) {
      const key = `local/${run_id}/${group_id}`;
      for (const command of [
        ['show', key, '--entries', '5'],
        ['figures', key],
      ]) {
        const { output } = await runlog([...command, '--url', gateway], env);
        process.stdout.write(`${output.trimEnd().replace(/^/gm, '  ')}\n\n`);
      }
    }
    if (values.record) await record(name, folder);
    return {
      ...{ library: name, version: expected.version, logged: expected.metrics.length, arrived: found },
      runs: rows.map(toText).join('; '),
      kill: `killed at call ${killedAt}, away ${(awayMs / 1000).toFixed(1)} s${drained}`,
      verify: `exit ${verify.code}`,
      faults,
    };
  } finally {
    await up.end('SIGKILL');
  }
}

function train(name: string, { python, folder, ingest }: { python: string; folder: string; ingest: string }) {
  const script = join(INTEGRATIONS, `train_${name}.py`);
  const args = [
    '--run',
    name,
    '--url',
    ingest,
    '--folder',
    folder,
    '--recording',
    join(folder, 'recording.json'),
  ];
  const child = spawn(python, [script, ...args], {
    env: { ...trainingEnv(folder), OMP_NUM_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  trainings.add(child);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), TRAINING_MS_MAX);
  const errors = text(child.stderr!);
  const result = once(child, 'exit').then(async ([code, signal]): Promise<[number | string, string]> => {
    clearTimeout(tooLong);
    trainings.delete(child);
    return [(code ?? signal) as number | string, (await errors).slice(-4_000)];
  });
  return { stdout: child.stdout, result };
}

function trainingEnv(folder: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    RUNLOG_SPOOL_DIR: join(folder, 'spool'),
    PYTHONDONTWRITEBYTECODE: '1',
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
    RAY_USAGE_STATS_ENABLED: '0',
  };
}

/** Sends what a process left that ended while the server was away. Returns what the table says of it. */
async function drain(python: string, folder: string, ingest: string): Promise<string> {
  if (!existsSync(join(folder, 'spool'))) return '';
  const module = folderOf('../clients/python/runlog.py');
  const { output } = await run(
    [python, module, 'drain', join(folder, 'spool'), '--url', ingest],
    trainingEnv(folder),
  );
  return /^0 events accepted, 0/.test(output) ? '' : `; drained: ${output.trim()}`;
}

async function record(name: string, folder: string): Promise<void> {
  await mkdir(RECORDINGS, { recursive: true });
  await copyFile(join(folder, 'recording.json'), join(RECORDINGS, `${name}.json`));
}

function toText({ run_id, group_id, status, missing, attempt }: RunRow): string {
  const group = group_id === 'default' ? '' : `/${group_id}`;
  return `${run_id}${group} ${status}, attempt ${attempt}, missing ${missing}`;
}

function printTable(): void {
  for (const { library, version, logged, arrived, runs, kill, verify, faults } of tried) {
    process.stdout.write(
      `\n${library} ${version}: ${arrived} of ${logged} calls arrived with equal values; ${kill}; verify ${verify}\n` +
        `  ${runs.replaceAll('; ', '\n  ')}\n`,
    );
    for (const fault of faults) process.stdout.write(`  FAULT ${fault}\n`);
  }
}

/** Returns the Python of the virtual environment that has this library. */
async function installed(name: string): Promise<string> {
  const requirements = join(INTEGRATIONS, 'requirements', `${name}.txt`);
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog', 'integrations');
  const venv = join(cache, 'venv');
  const python = join(venv, 'bin', 'python');
  const complete = join(cache, `${name}-${hash}`);
  if (existsSync(complete) && existsSync(python)) return python;
  await mkdir(cache, { recursive: true });
  process.stdout.write(`${name}: installs ${requirements} into ${venv}, which may take minutes\n`);
  const commands = [
    ...(existsSync(python) ? [] : [[process.env.RUNLOG_PYTHON ?? 'python3', '-m', 'venv', venv]]),
    [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements],
  ];
  for (const command of commands) {
    const { code, output } = await run(command, process.env);
    if (code !== 0) {
      process.stderr.write(`"${command.join(' ')}" ended with ${code}:\n${output}`);
      process.exit(2);
    }
  }
  await writeFile(complete, '');
  return python;
}

async function runlog(args: readonly string[], env: Readonly<Record<string, string>>) {
  return await run([process.execPath, CLI, ...args], { ...process.env, ...env });
}

async function run([command, ...args]: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const [output, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    return { code: code as unknown, output: output + errors };
  } catch (error) {
    return { code: 'an error', output: `${(error as Error).message}\n` };
  }
}
