import { parseArgs } from 'node:util';
import { runSchedules, type SchedulesReport } from '../test/late-packets/run-schedules.ts';
import { ProxiedBroker } from '../test/support/proxied-broker.ts';

const USAGE = `npm run late-packets -- [--seeds N] [--lanes N] [--version V] [--verification on|off]

Transactions under one writer id each, while a proxy holds their requests, loses answers, cuts connections and delivers
what it held at steps of later transactions. N seeds (default 1000), shared out to a broker with partition verification
and one without; --verification leaves one of them out. --version is a release of Kafka. SEED=… repeats one schedule.
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    lanes: { type: 'string', default: '12' },
    version: { type: 'string' },
    verification: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const seeds = Number(values.seeds);
const lanes = Number(values.lanes);
if (values.help === true || !(seeds > 0) || !(lanes > 0)) {
  process.stdout.write(USAGE);
  process.exit(values.help === true ? 0 : 2);
}
const given = process.env.SEED === undefined ? null : Number(process.env.SEED);
const firstSeed = given ?? Math.floor(Math.random() * 2 ** 31);
const settings = [true, false].filter(
  (on) => (values.verification ?? (on ? 'on' : 'off')) === (on ? 'on' : 'off'),
);
const share = given === null ? Math.ceil(seeds / settings.length) : 1;
let failures = 0;
for (const [index, verification] of settings.entries()) {
  const begin = given ?? firstSeed + index * share;
  const report = await series({ begin, count: share, verification });
  failures += report.failed.length;
}
process.stdout.write(failures === 0 ? 'OK: every schedule held\n' : `FAILED: ${failures} schedules\n`);
process.exit(failures === 0 ? 0 : 1);

async function series(options: {
  begin: number;
  count: number;
  verification: boolean;
}): Promise<SchedulesReport> {
  const { begin, count, verification } = options;
  const { version } = values;
  await using broker = await ProxiedBroker.start({ verification, ...(version !== undefined && { version }) });
  const beganMs = performance.now();
  process.stdout.write(
    `verification ${verification ? 'on' : 'off'}: seeds ${begin} to ${begin + count - 1}\n`,
  );
  let done = 0;
  const report = await runSchedules({
    ...{ broker, lanes },
    seeds: Array.from({ length: count }, (_, at) => begin + at),
    onReport: ({ seed, violations, history }) => {
      done += 1;
      if (done % 500 === 0) process.stdout.write(`${done} after ${seconds(beganMs)} s\n`);
      if (violations.length === 0 && given === null) return;
      process.stdout.write(`SEED=${seed} ${violations.length === 0 ? 'held' : 'FAILED'}\n`);
      for (const line of [...history, ...violations.map((one) => `VIOLATION ${one}`)]) {
        process.stdout.write(`  ${line}\n`);
      }
    },
  });
  const { failed, arrivals, ...figures } = report;
  process.stdout.write(
    `${JSON.stringify({ ...figures, seconds: seconds(beganMs), failed: failed.length })}\n`,
  );
  for (const [arrival, times] of Object.entries(arrivals).sort())
    process.stdout.write(`  ${arrival}: ${times}\n`);
  return report;
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 1_000);
}
