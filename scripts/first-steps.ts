/**
 * Takes the first steps on the Node that runs this file: `runlog up`, an event, and the commands that a newcomer types.
 * If one fails, or Node itself warns of something, it prints the output and exits with 1. `npm run nodes` runs it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '../test/support/cli-process.ts';
import { ServiceProcess } from '../test/support/service-process.ts';

const RECORDING = fileURLToPath(new URL('../test/fixtures/short.events.jsonl', import.meta.url));
const COMMANDS = [
  ['import', RECORDING],
  ['runs'],
  ['show', 'local/hello/default'],
  ['figures', 'local/hello/default'],
  ['replay', 'local/*'],
  ['verify'],
  ['rebuild'],
  ['rejected'],
  ['topics'],
  ['delete', 'local/hello/default'],
];

// The processes that this script started end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const folder = await mkdtemp(join(tmpdir(), 'runlog-first-steps-'));
try {
  await firstSteps({ RUNLOG_DATA_DIR: join(folder, 'log') });
  process.stdout.write(`up, an event and ${COMMANDS.length} commands\n`);
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function firstSteps(env: Readonly<Record<string, string>>): Promise<void> {
  await using up = await ServiceProcess.start('up', env);
  const { ingest, gateway } = up.addresses as { ingest: string; gateway: string };
  await publishHello(ingest);
  const page = await fetch(gateway);
  if (page.status !== 200) throw new Error(`the page: ${page.status} ${await page.text()}`);
  for (const args of COMMANDS) {
    const said = await runCli(args, { ...env, RUNLOG_INGEST_URL: ingest, RUNLOG_GATEWAY_URL: gateway });
    const output = said.stdout + said.stderr;
    if (said.code !== 0) throw new Error(`runlog ${args.join(' ')}: exit code ${said.code}\n${output}`);
    refuseWarning(`runlog ${args.join(' ')}`, output);
  }
  const code = await up.end('SIGTERM');
  if (code !== 0) throw new Error(`runlog up: exit code ${code}\n${up.output}`);
  refuseWarning('runlog up', up.output);
}

async function publishHello(ingest: string): Promise<void> {
  const event = {
    event_id: 'hello-1',
    event_type: 'EPOCH_COMPLETED',
    timestamp: new Date().toISOString(),
    run_id: 'hello',
    data: { env_id: 0, val_accuracy: 61.5, val_loss: 1.04, inner_epoch: 1 },
  };
  const response = await fetch(`${ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  });
  if (response.status !== 200) throw new Error(`an event: ${response.status} ${await response.text()}`);
}

/** Node writes `(node:PID) [CODE] DeprecationWarning: …`, and similar lines for experimental features. */
function refuseWarning(name: string, output: string): void {
  const warning = /^\(node:\d+\).*$/m.exec(output)?.[0];
  if (warning !== undefined) throw new Error(`${name}: ${warning}`);
}
