import { setTimeout as delay } from 'node:timers/promises';
import { type Command, CommandError, exitCodes, parseCommandLine, wholeNumber } from '../command.ts';
import { formatCount, formatDuration, formatRate } from '../format.ts';
import { createProgress } from '../progress.ts';
import { ingestVariables, readClientConfig } from '../services/client-config.ts';
import { createEventSender, type SenderTotals } from '../services/event-sender.ts';
import { seededRandom } from '../simulate/seeded-random.ts';
import { createFleet } from '../simulate/simulated-fleet.ts';
import { encodeEvent } from '../simulate/simulated-run.ts';
import { stopSignal } from '../stop-signal.ts';

const TICK_MS = 50;
/** How long a stopped simulation may take to deliver the events that it has already made up. */
const DRAIN_MS_MAX = 10_000;

const options = {
  runs: {
    type: 'string',
    value: 'N',
    help: 'number of runs at a time; each group counts as one (default: 6)',
  },
  rate: { type: 'string', value: 'N', help: 'events per second of all runs together (default: 50)' },
  seconds: { type: 'string', value: 'N', help: 'stop after this time (default: on Ctrl-C)' },
  url: { type: 'string', value: 'URL', help: 'address of ingest; overrides RUNLOG_INGEST_URL' },
  seed: {
    type: 'string',
    value: 'N',
    help: 'seed of the random numbers; the same seed gives the same runs (default: random)',
  },
} as const;

export const command: Command = {
  usage: '[options]',
  description:
    'Sends believable training runs to ingest: three clusters, A/B groups, the whole life of seeds (germination, stages, gates, fossilisation or pruning), PPO updates, batches and rewards. Now and then a run fails, or an event holds a bare NaN. Every event is numbered by its emitter. When a run ends, the next one begins.',
  options,
  examples: ['runlog simulate', 'runlog simulate --runs 40 --rate 2000 --seconds 60'],
  environment: ingestVariables,
  worksUnread: true,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const config = readClientConfig(env, { ingestUrl: values.url });
    const seconds = wholeNumber({
      name: 'seconds',
      text: values.seconds,
      fallback: 0,
      min: 1,
      max: 10_000_000,
    });
    return simulate({
      runs: wholeNumber({ name: 'runs', text: values.runs, fallback: 6, min: 1, max: 10_000 }),
      rate: wholeNumber({ name: 'rate', text: values.rate, fallback: 50, min: 1, max: 100_000 }),
      seconds: seconds === 0 ? Number.POSITIVE_INFINITY : seconds,
      seed: wholeNumber({
        name: 'seed',
        text: values.seed,
        fallback: Math.floor(Math.random() * 2 ** 32),
        min: 0,
        max: 2 ** 32 - 1,
      }),
      ingestUrl: config.ingestUrl,
      key: config.currentKey,
    });
  },
};

async function simulate(use: {
  runs: number;
  rate: number;
  seconds: number;
  seed: number;
  ingestUrl: string;
  key: () => string | undefined;
}) {
  const stopped = stopSignal();
  const givenUp = new AbortController();
  const now = () => performance.now();
  const progress = createProgress({ stream: process.stderr, now });
  const sender = createEventSender({
    ingestUrl: use.ingestUrl,
    key: use.key,
    random: Math.random,
    now,
    signal: givenUp.signal,
    onRetry: ({ reason }) => progress.trouble(`${reason}; trying again`),
    onRejected: (fault) => progress.note(`rejected: ${fault.code}: ${fault.path} ${fault.message}`),
  });
  const fleet = createFleet({
    runs: use.runs,
    random: seededRandom(use.seed),
    clock: Date.now,
    name: `sim-${new Date().toISOString().slice(2, 16).replace(/[-:]/g, '').replace('T', '-')}-${use.seed % 1000}`,
  });
  const startedAtMs = now();
  const elapsedSeconds = () => (now() - startedAtMs) / 1_000;
  const emit = () => {
    const next = fleet.next();
    if (next !== null) sender.add({ clusterId: next.clusterId, line: encodeEvent(next.event) });
    return next !== null;
  };

  let due = 0;
  let tickAtMs = now();
  while (!stopped.aborted && elapsedSeconds() < use.seconds && sender.fault() === null) {
    // No events are made up while they cannot be sent: a real trainer would wait as well.
    due = sender.full() ? 0 : Math.min(due + ((now() - tickAtMs) / 1_000) * use.rate, use.rate);
    tickAtMs = now();
    for (; due >= 1; due -= 1) emit();
    progress.update(() => totalsLine(sender.totals(), elapsedSeconds()));
    await delay(TICK_MS, undefined, { signal: stopped }).catch(() => {});
  }
  fleet.end();
  while (emit());
  const drain = setTimeout(() => givenUp.abort(), DRAIN_MS_MAX);
  await sender.drain();
  clearTimeout(drain);
  progress.end();
  const totals = sender.totals();
  process.stdout.write(`${totalsLine(totals, elapsedSeconds())}\n`);
  const fault = sender.fault();
  if (fault !== null) throw new CommandError(fault.message, fault.exitCode, { cause: fault });
  return totals.rejected === 0 && totals.accepted === totals.sent ? exitCodes.ok : exitCodes.failed;
}

function totalsLine(totals: SenderTotals, seconds: number): string {
  const rate = formatRate(totals.accepted / Math.max(seconds, 0.001));
  const figures = (['sent', 'accepted', 'rejected', 'retried'] as const).map(
    (name) => `${formatCount(totals[name])} ${name}`,
  );
  return `${formatDuration(seconds)}: ${figures.join(', ')}, ${rate} events/s`;
}
