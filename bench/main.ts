import { parseArgs } from 'node:util';
import { accept } from './accept.ts';
import { aggregate } from './aggregate.ts';
import { type Benchmark, machine } from './benchmark.ts';
import { codecs } from './codecs.ts';
import { fanout } from './fanout.ts';
import { fold } from './fold.ts';
import { history } from './history.ts';
import { indexViews } from './index-views.ts';
import { ingest, ingestEmbedded } from './ingest.ts';
import { page } from './page.ts';
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
  codecs,
  ingest,
  ingestEmbedded,
  aggregate,
  restore,
  runs,
  history,
  fanout,
  indexViews,
  page,
  python,
];

const SECONDS = 10;

const HELP = `Usage: npm run bench [-- NAME... [--seconds N] [--minutes N]]

Runs the named benchmarks, or all, one after the other. Each prints one line of JSON: the figure, the limit measured in
the same run, their ratio, and how it was measured. Notes go to stderr.

${benchmarks.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

  --seconds N  how long the measured part lasts (default 10; page: 60)
  --minutes N  page: also watch the heap for so long
  --list       names only
  --help       this text
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    minutes: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const unknown = positionals.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
if (values.help) {
  process.stdout.write(HELP);
} else if (values.list) {
  process.stdout.write(`${benchmarks.map(({ name }) => name).join('\n')}\n`);
} else if (unknown.length > 0 || !((seconds ?? 1) > 0) || !((minutes ?? 1) > 0)) {
  process.stderr.write(
    `${unknown.length > 0 ? `no benchmark is called ${unknown.join(', ')}` : '--seconds and --minutes must be numbers above 0'}\n\n${HELP}`,
  );
  process.exitCode = 2;
} else {
  const chosen =
    positionals.length === 0 ? benchmarks : benchmarks.filter(({ name }) => positionals.includes(name));
  for (const benchmark of chosen) {
    const result = await benchmark.run({
      seconds: seconds ?? benchmark.seconds ?? SECONDS,
      minutes,
    });
    process.stdout.write(`${JSON.stringify({ bench: benchmark.name, ...result, machine: machine() })}\n`);
  }
}
