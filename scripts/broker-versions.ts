/**
 * Runs the contract of the log and a short way through all services on each version of Kafka that runlog supports. See
 * `npm run compatibility -- --help`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textTable } from '../packages/cli/src/text-table.ts';

/** One release of each line that is tried, from the oldest on. */
const VERSIONS = ['3.3.2', '3.6.2', '3.9.2', '4.0.2', '4.1.2', '4.2.1', '4.3.1', '4.4.0'];

const HELP = `Usage: npm run compatibility [-- VERSION...]

Runs the contract suite of the log, and events through ingest, aggregator, gateway and "runlog verify", on a broker of each
of these releases of Apache Kafka: ${VERSIONS.join(', ')}, or of those that are named. Each release is
downloaded once by Maven into ~/.cache/runlog (60 MB each); it needs Java 17 or newer. Less than a minute a version.
Exit code: 0 all passed, 1 some did not, 2 the command line is wrong.
`;

const root = fileURLToPath(new URL('..', import.meta.url));

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h', default: false } },
  allowPositionals: true,
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const inexact = positionals.find((version) => !/^\d+\.\d+\.\d+$/.test(version));
if (inexact !== undefined) {
  process.stderr.write(`'${inexact}' is not an exact version of Kafka, such as ${VERSIONS.at(-1)}\n`);
  process.exit(2);
}

// The processes that this script started end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

interface Verdict {
  readonly version: string;
  readonly passed: boolean;
  readonly text: string;
  readonly seconds: number;
}

const verdicts: Verdict[] = [];
for (const version of positionals.length > 0 ? positionals : VERSIONS) {
  process.stdout.write(`\nKafka ${version}\n`);
  const startedMs = performance.now();
  const { code, output } = await runSuite(version);
  const passed = code === 0;
  const lastLine = output.trimEnd().split('\n').at(-1) ?? '';
  process.stdout.write(passed ? `${lastLine}\n` : output);
  const text = passed ? lastLine : `FAILED (${code}): ${lastLine}`;
  verdicts.push({ version, passed, text, seconds: Math.round((performance.now() - startedMs) / 1_000) });
}
const table = textTable(verdicts, [
  { title: 'KAFKA', text: ({ version }) => version },
  { title: 'CONTRACT AND SERVICES', text: ({ text }) => text },
  { title: 'SECONDS', text: ({ seconds }) => String(seconds), right: true },
]);
process.stdout.write(`\n${new Date().toISOString().slice(0, 10)}, Node ${process.version}\n${table}\n`);
if (verdicts.some(({ passed }) => !passed)) process.exitCode = 1;

/** Resolves to the exit code, or what ended it instead, and the whole output. */
function runSuite(version: string): Promise<{ code: number | string; output: string }> {
  const suite = ['--project', 'integration', 'test/contract/broker-versions.test.ts'];
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...suite], {
      cwd: root,
      env: { ...process.env, RUNLOG_BROKER_VERSION: version, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kill = () => child.kill('SIGTERM');
    process.once('exit', kill);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream!.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const end = (code: number | string) => {
      process.removeListener('exit', kill);
      resolve({ code, output });
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(code ?? signal ?? 'nothing'));
  });
}
