import { type HistoryResult, runHistory } from './history.ts';
import type { Plan } from './plan.ts';
import type { Mutations } from './world.ts';

const RUNS_MAX = 400;

/**
 * Finds a smaller plan that still fails, with fewer faults, requests and processes. It need not be the smallest
 * possible.
 */
export async function shrink(plan: Plan, mutations: Mutations = {}): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  const fails = async (candidate: Plan): Promise<boolean> => {
    runs += 1;
    return runs <= RUNS_MAX && (await runHistory(candidate, { mutations })).failure !== null;
  };
  for (let isSmaller = true; isSmaller && runs < RUNS_MAX; ) {
    isSmaller = false;
    for (const candidate of smallerThan(smallest)) {
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Yields smaller plans, the largest steps first. */
function* smallerThan(plan: Plan): Generator<Plan> {
  for (const requests of fewer(plan.requests)) yield { ...plan, requests };
  for (const faults of fewer(plan.faults)) yield { ...plan, faults };
  for (const clients of fewer(plan.clients)) yield { ...plan, clients };
  for (const kind of ['gateways', 'aggregators', 'ingests'] as const) {
    if (plan[kind] > 1) yield { ...plan, [kind]: plan[kind] - 1 };
  }
  if (plan.slowChance > 0) yield { ...plan, slowChance: 0 };
  if (plan.markerDelayMsMax > 0) yield { ...plan, markerDelayMsMax: 0 };
}

function* fewer<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < items.length; from += size) {
      yield [...items.slice(0, from), ...items.slice(from + size)];
    }
  }
}

const TRACE_LINES_MAX = 60;

/** Explains a failed history to a person: what broke, what happened before, and how to see it again. */
export async function explain(plan: Plan, result: HistoryResult): Promise<string> {
  const small = await shrink(plan);
  const { failure, trace } = await runHistory(small, { isTraced: true });
  const said = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error));
  return [
    `seed ${plan.seed}: ${said(result.failure)}`,
    '',
    'faults:',
    ...plan.faults.map((fault) => `  ${JSON.stringify(fault)}`),
    '',
    `replay: SEED=${plan.seed} npx vitest run --project simulation`,
    '',
    `shrunk to ${small.requests.length} requests and ${small.faults.length} faults, which end in: ${said(failure)}`,
    'the last lines of the shrunk history:',
    ...trace.slice(-TRACE_LINES_MAX),
    '',
    'to keep it, put this into test/simulation/kept/<what-broke>.json:',
    JSON.stringify(small),
  ].join('\n');
}
