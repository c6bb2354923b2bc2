/**
 * Proves that ingest loses and doubles nothing of what the usual senders send, while its broker is cut off and it is killed.
 * See `npm run senders -- --help`.
 */

import { parseArgs } from 'node:util';
import { messageOf } from '@runlog/topic-io/error-message';
import { senders } from '../test/senders/all-senders.ts';
import { builtCollector, collector } from '../test/senders/collector-sender.ts';
import type { Sender } from '../test/senders/sender.ts';
import { type TrialRow, tryOut } from '../test/senders/trial.ts';
import { TrialSystem } from '../test/senders/trial-system.ts';

const HELP = `Usage: npm run senders [-- NAME…] [-- --events N] [-- --per-second N]

Has each sender send events to a real ingest on a real broker, one sender after the other. Meanwhile the broker is cut off
twice, ingest is killed by kill -9 once and started again, and three answers are lost on their way back. Then every event
is looked for in the run, and "runlog verify" must prove it. NAME is a part of a sender's name, such as "vector" or
"collector"; without any, all are tried. The Collector is built by "go build" (1.26 or newer) when it is first asked for.
Exit code: 0 nothing was lost or doubled, 1 something was.

  --events N      how many each sends (100000)
  --per-second N  how many each makes a second (5000)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string', default: '100000' },
    'per-second': { type: 'string', default: '5000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const events = Number(values.events);
const eventsPerSecond = Number(values['per-second']);
const all = [collector, ...senders];
const asked = all.filter(
  ({ name }) =>
    positionals.length === 0 || positionals.some((part) => name.toLowerCase().includes(part.toLowerCase())),
);
if (asked.length === 0 || !(events >= 1) || !(eventsPerSecond >= 1)) {
  process.stderr.write(`nothing to try. The senders are:\n${all.map(({ name }) => `  ${name}\n`).join('')}`);
  process.exit(2);
}

/** Long enough for cuts, for kills and for the longest back-off. */
const TRIAL_MS_MAX = 600_000;

if (asked.includes(collector)) {
  process.stdout.write('the Collector is built, unless it was …\n');
  await builtCollector();
}

// The processes that this script started end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const COLUMNS = [
  ...['sender', 'version', 'events', 'requests', 'taken', 'sent again', 'lost answers', 'repeats'],
  ...['accepted', 'doubled', 'lost', 'missing', 'verify', 's'],
];

interface Outcome {
  readonly row: TrialRow;
  readonly seconds: number;
  /** The exit code of `runlog verify`. */
  readonly verify: number | string;
}

const outcomes: Outcome[] = [];
let failure = '';
{
  await using system = await TrialSystem.start();
  for (const sender of asked) {
    try {
      const outcome = await trialOf(system, sender);
      outcomes.push(outcome);
      process.stdout.write(lineOf(cellsOf(outcome)));
    } catch (error) {
      // The broker may be cut off now, or ingest down, so the next sender could not be judged.
      failure = `${sender.name} ended the series: ${messageOf(error)}\n`;
      break;
    }
  }
}
const head = lineOf(COLUMNS) + lineOf(COLUMNS.map(() => '---'));
process.stdout.write(`\n${head}${outcomes.map((outcome) => lineOf(cellsOf(outcome))).join('')}`);
const isFlawless = outcomes.every(
  ({ row: { verdict }, verify }) =>
    verdict.lost === 0 && verdict.doubled === 0 && verdict.missing === 0 && verify === 0,
);
process.stderr.write(failure);
process.exitCode = isFlawless && failure === '' ? 0 : 1;

async function trialOf(system: TrialSystem, sender: Sender): Promise<Outcome> {
  process.stdout.write(`${sender.name} ${sender.version}\n`);
  const startMs = performance.now();
  let tenths = 0;
  const [row] = await tryOut(system, [sender], {
    ...{ events, eventsPerSecond, msMax: TRIAL_MS_MAX },
    blows: [
      { at: 0.2, kind: 'cut the broker' },
      { at: 0.45, kind: 'kill ingest' },
      { at: 0.7, kind: 'cut the broker' },
    ],
    onProgress: (share, said) => {
      const now = Math.floor(share * 10);
      if (said === '' && now <= tenths) return;
      tenths = now;
      process.stdout.write(`  ${Math.floor(share * 100)} % counted${said && `; ${said}`}\n`);
    },
  });
  const verified = await system.runlog(['verify']);
  if (verified.code !== 0) process.stdout.write(verified.stdout + verified.stderr);
  return { row: row!, seconds: (performance.now() - startMs) / 1_000, verify: verified.code };
}

function lineOf(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function cellsOf({ row: { sender, version, events, passed, verdict }, seconds, verify }: Outcome) {
  const taken = passed.byStatus.get(200) ?? 0;
  return [
    ...[sender, version, events, passed.requests, taken, passed.requests - taken, passed.answersLost],
    ...[verdict.repeats, verdict.accepted, verdict.doubled, verdict.lost, verdict.missing, verify],
    Math.round(seconds),
  ];
}
