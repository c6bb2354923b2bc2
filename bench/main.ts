import { parseArgs } from 'node:util';
import { accept } from './accept.ts';
import { aggregate } from './aggregate.ts';
import { type Benchmark, machine } from './benchmark.ts';
import { fanout } from './fanout.ts';
import { fold } from './fold.ts';
import { history } from './history.ts';
import { indexViews } from './index-views.ts';
import { ingest, ingestEmbedded } from './ingest.ts';
import { pipeline } from './pipeline.ts';
import { publish } from './publish.ts';
import { python } from './python.ts';
import { restore } from './restore.ts';
import { runs } from './runs.ts';

const benchmarks: readonly Benchmark[] = [
  accept,
  fold,
  pipeline,
  publish,
  ingest,
  ingestEmbedded,
  aggregate,
  restore,
  runs,
  history,
  fanout,
  indexViews,
  python,
];

const HELP = `Usage: npm run bench [-- NAME... [--seconds N]]

Runs the named benchmarks, or all, one after the other. Each prints one line of JSON: the figure, the limit measured in
the same run, their ratio, and how it was measured. Notes go to stderr.

${benchmarks.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

  --seconds N  how long the measured part lasts (default 10)
  --list       names only
  --help       this text
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const seconds = Number(values.seconds);
const unknown = positionals.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
if (values.help) {
  process.stdout.write(HELP);
} else if (values.list) {
  process.stdout.write(`${benchmarks.map(({ name }) => name).join('\n')}\n`);
} else if (unknown.length > 0 || !(seconds > 0)) {
  process.stderr.write(
    `${unknown.length > 0 ? `no benchmark is called ${unknown.join(', ')}` : '--seconds must be a number above 0'}\n\n${HELP}`,
  );
  process.exitCode = 2;
} else {
  const chosen =
    positionals.length === 0 ? benchmarks : benchmarks.filter(({ name }) => positionals.includes(name));
  for (const benchmark of chosen) {
    const result = await benchmark.run({ seconds });
    process.stdout.write(`${JSON.stringify({ bench: benchmark.name, ...result, machine: machine() })}\n`);
  }
}
