/**
 * Checks the running services against their OpenAPI documents: schemathesis makes valid and invalid requests from
 * `/openapi.json` and checks every answer against it. See `npm run conformance -- --help`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ServiceProcess } from '../test/support/service-process.ts';

const folderOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const HOOKS = folderOf('schemathesis_hooks.py');
const REQUIREMENTS = folderOf('conformance-requirements.txt');
/** The operations of server-sent events. */
const STREAMS = ['streamRun', 'streamEvents'];

const HELP = `Usage: npm run conformance [-- --max-examples N] [--seed N] [--quick]

Starts ingest, aggregator and gateway over a log in a folder of its own and runs schemathesis against the OpenAPI
documents of ingest and gateway: a minute or two. Python 3.10 or newer with venv and pip is needed; what
scripts/conformance-requirements.txt names is installed once, into a virtual environment in ~/.cache/runlog.
Exit code: 0 all answers conform, 1 some do not, 2 schemathesis cannot be had.

  --max-examples N  random requests of each operation (100)
  --seed N          repeats a run
  --quick           for ingest random requests alone, without the thousands that go through every bound
`;

const { values } = parseArgs({
  options: {
    'max-examples': { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

// The processes that this script started end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const schemathesis = await installed();
const folder = await mkdtemp(join(tmpdir(), 'runlog-conformance-'));
try {
  process.exitCode = await conform();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function conform(): Promise<number> {
  await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: join(folder, 'log') });
  const { ingest, gateway } = up.addresses as { ingest: string; gateway: string };
  await publishRun(ingest);
  let failed = 0;
  const examples = ['--max-examples', values['max-examples']];
  // The examples of the documents have their own test.
  const phases = values.quick ? 'fuzzing' : 'coverage,fuzzing';
  const each = (option: string) => STREAMS.flatMap((operation) => [option, operation]);
  const runs = [
    [ingest, ...examples, '--phases', phases],
    [gateway, ...examples, '--phases', 'coverage,fuzzing', ...each('--exclude-operation-id')],
    // A stream has no end, so each request lasts until the timeout.
    [gateway, '--max-examples', '2', '--phases', 'fuzzing', ...each('--include-operation-id')],
  ] as [string, ...string[]][];
  for (const [url, ...options] of runs) {
    process.stdout.write(`\nseed ${values.seed}\n`);
    const common = [
      '--no-color',
      '--seed',
      values.seed,
      '--request-timeout',
      '10',
      '--suppress-health-check',
      'all',
    ];
    const args = ['run', `${url}/openapi.json`, ...common, ...options];
    const code = await run(schemathesis, args, { SCHEMATHESIS_HOOKS: HOOKS });
    if (code !== 0) failed += 1;
  }
  if (up.ended || /"level":[56]0/.test(up.output)) {
    process.stdout.write(`the services logged faults:\n${up.output}\n`);
    failed += 1;
  }
  return failed === 0 ? 0 : 1;
}

/** Publishes the run that the hooks ask for. */
async function publishRun(ingest: string): Promise<void> {
  const event = {
    event_id: 'conformance-1',
    event_type: 'EPOCH_COMPLETED',
    timestamp: new Date().toISOString(),
    run_id: 'conformance',
    data: { env_id: 0, val_accuracy: 61.5, val_loss: 1.04, inner_epoch: 1 },
  };
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${ingest}/v1/events`, {
    method: 'POST',
    headers,
    body: JSON.stringify(event),
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
}

/** Returns the path of schemathesis, which is installed if it is missing. Ends the process if that fails. */
async function installed(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'runlog');
  const version = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 12);
  const venv = join(cache, `schemathesis-${version}`);
  const command = join(venv, 'bin', 'schemathesis');
  const complete = join(venv, 'complete');
  if (existsSync(complete)) return command;
  await mkdir(cache, { recursive: true });
  await rm(venv, { recursive: true, force: true });
  for (const [program, ...args] of [
    ['python3', '-m', 'venv', venv],
    [join(venv, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS],
  ] as [string, ...string[]][]) {
    const code = await run(program, args);
    if (code === 0) continue;
    const command = [program, ...args].join(' ');
    process.stderr.write(
      `schemathesis needs Python 3.10 or newer, venv and pip: "${command}" ended with ${code}\n`,
    );
    process.exit(2);
  }
  await writeFile(complete, '');
  return command;
}

/** Resolves to the exit code, or the signal that ended it. */
function run(program: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<number | string>((resolve) => {
    const child: ChildProcess = spawn(program, args, {
      // Files that schemathesis keeps for its next run must not end up in the repository.
      cwd: tmpdir(),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      process.removeListener('exit', kill);
      resolve(code ?? signal ?? 'nothing');
    });
  });
}
