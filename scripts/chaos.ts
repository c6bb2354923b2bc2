import { parseArgs } from 'node:util';
import { runChaos } from '../test/chaos/chaos-run.ts';
import { endlessPlan, type PlannedFault, shortPlan } from '../test/chaos/fault-plan.ts';
import { chosenSeed } from '../test/chaos/seed.ts';

const USAGE = `npm run chaos -- [--minutes N] [--short] [--only KIND]

Three brokers, three aggregators, two gateways, two ingests under load, and faults for N minutes (default 30). Then
everything heals and must agree. SEED=… repeats the order of faults of an earlier run; --short is what npm test runs;
--only 'kill broker' leaves out every other kind.
`;

const SHAPE = { aggregators: 3, gateways: 2, ingests: 2, partitions: 6 };
const SHORT_SHAPE = { aggregators: 2, gateways: 2, ingests: 2, partitions: 4 };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    short: { type: 'boolean' },
    only: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const minutes = Number(values.minutes);
if (values.help === true || !(minutes > 0)) {
  process.stdout.write(USAGE);
  process.exit(values.help === true ? 0 : 2);
}
const endsMs = performance.now() + minutes * 60_000;
const shape = values.short === true ? SHORT_SHAPE : SHAPE;
const report = await runChaos({
  seed: chosenSeed(process.env),
  shape,
  plan: (random) => {
    const plan = values.short === true ? shortPlan(random, shape) : endlessPlan(random, shape);
    return values.only === undefined ? plan : ofKind(plan, values.only);
  },
  isOver: () => performance.now() >= endsMs,
  say: (line) => process.stdout.write(`${line}\n`),
});
const { violations, outputs, ...figures } = report;
process.stdout.write(`${JSON.stringify(figures)}\n`);
for (const violation of violations) process.stdout.write(`VIOLATION ${violation}\n`);
if (outputs !== null) process.stdout.write(`the output of the processes: ${outputs}\n`);
process.stdout.write(
  violations.length === 0 ? 'OK: all invariants held\n' : `FAILED: ${violations.length}\n`,
);
process.exit(violations.length === 0 ? 0 : 1);

function* ofKind(plan: Iterable<PlannedFault>, kind: string): Generator<PlannedFault> {
  for (const fault of plan) if (fault.action.kind === kind) yield fault;
}
