/**
 * Runs the contract of the log and a short way through all services on each version of Kafka that runlog supports. See
 * `npm run compatibility -- --help`.
 */
import { textTable } from '../packages/cli/src/text-table.ts';
import { type Outcome, outcomeOf, run, versionsAsked } from './each-version.ts';

/** One release of each line that is tried, from the oldest on. */
const VERSIONS = ['3.3.2', '3.6.2', '3.9.2', '4.0.2', '4.1.2', '4.2.1', '4.3.1', '4.4.0'];

const HELP = `Usage: npm run compatibility [-- VERSION...]

Runs the contract suite of the log, and events through ingest, aggregator, gateway and "runlog verify", on a broker of each
of these releases of Apache Kafka: ${VERSIONS.join(', ')}, or of those that are named. Each release is
downloaded once by Maven into ~/.cache/runlog (60 MB each); it needs Java 17 or newer. Less than a minute a version.
Exit code: 0 all passed, 1 some did not, 2 the command line is wrong.
`;

interface Verdict extends Outcome {
  readonly version: string;
  readonly seconds: number;
}

const SUITE = ['--project', 'integration', 'test/contract/broker-versions.test.ts'];

const verdicts: Verdict[] = [];
for (const version of versionsAsked({ help: HELP, program: 'Kafka', all: VERSIONS })) {
  process.stdout.write(`\nKafka ${version}\n`);
  const startedMs = performance.now();
  const ended = await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...SUITE], {
    RUNLOG_BROKER_VERSION: version,
    NO_COLOR: '1',
  });
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  verdicts.push({ version, ...outcomeOf(ended), seconds });
}
const table = textTable(verdicts, [
  { title: 'KAFKA', text: ({ version }) => version },
  { title: 'CONTRACT AND SERVICES', text: ({ text }) => text },
  { title: 'SECONDS', text: ({ seconds }) => String(seconds), right: true },
]);
process.stdout.write(`\n${new Date().toISOString().slice(0, 10)}, Node ${process.version}\n${table}\n`);
if (verdicts.some(({ passed }) => !passed)) process.exitCode = 1;
