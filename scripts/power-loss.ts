import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chosenSeed } from '../test/chaos/seed.ts';
import { keptPath, packRecordings, readKeptRecordings } from '../test/power-loss/kept-recordings.ts';
import { canRecord } from '../test/power-loss/recording.ts';
import { recordAll, runPowerLoss } from '../test/power-loss/run.ts';

const USAGE = `npm run power-loss -- [--points N] [--recordings N] [--processes N] [--kept | --keep]

Records what workloads of an embedded log do to their files, under strace, then cuts the power at N points (default
100000), damages what is left, and opens each folder with the real engine. SEED=… repeats a run.
--kept judges the recordings in test/fixtures/power-loss; --keep makes those anew and judges nothing.
`;

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000' },
    recordings: { type: 'string', default: '30' },
    processes: { type: 'string', default: '2' },
    kept: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [points, count, processes] = [values.points, values.recordings, values.processes].map(Number) as [
  number,
  number,
  number,
];
if (values.help || !(points > 0 && count > 0 && processes > 0)) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
if (!values.kept && !canRecord()) {
  say('strace and prlimit are needed to record; --kept judges the recordings that are kept');
  process.exit(2);
}
const seed = chosenSeed(process.env);
if (values.keep) {
  const recordings = await recordAll({ seed, count });
  await writeFile(keptPath, packRecordings(recordings));
  say(`kept ${count} recordings of SEED=${seed}`);
  process.exit(0);
}

say(`SEED=${seed}`);
const recordings = values.kept ? await readKeptRecordings() : await recordAll({ seed, count });
say(
  `${recordings.length} recordings, ${recordings.filter(({ full }) => full !== null).length} of a full disk`,
);
const report = await runPowerLoss({
  recordings,
  seeds: Array.from({ length: points }, (_, index) => seed + index),
  processes,
  onProgress: (done) => {
    if (done % 5_000 === 0) say(`${done} points`);
  },
});
say('');
for (const kind of Object.keys(report.counts).sort()) say(`${kind}: ${JSON.stringify(report.counts[kind])}`);
say('');
for (const [reason, number] of Object.entries(report.refusals)) say(`${number} × ${reason}`);
say('');
for (const fault of report.faults) say(`FAULT ${fault}`);
const { faults, outcomes } = report;
say(`${report.points} points: ${JSON.stringify(outcomes)}`);
say(
  faults.length === 0
    ? 'OK: nothing acknowledged was lost, and no answer was wrong'
    : `FAILED: ${faults.length}`,
);
process.exit(faults.length === 0 ? 0 : 1);
