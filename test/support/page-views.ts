import { afterAll, beforeAll } from 'vitest';
import { ComparedRuns } from './compared-runs.ts';

/** The run whose views are looked at, and one beside it. */
export const SHOWN_RUN = 'c1/resnet-a/default';
export const OTHER_RUN = 'c1/resnet-b/default';
export const FAILED_RUN = 'c2/vit/default';

/** What the browser's console says in these views: that there is no such run, and that runs which are made up have no past. */
export const VIEWS_ALLOW = /status of (404 .*\/c1\/nobody\/default|503 .*[?]at=)/;

/** A view of the page, and a selector of what stands in it once it is there. */
export interface PageView {
  readonly name: string;
  readonly hash: string;
  readonly isThere: string;
}

const run = (name: string, options: string, isThere = '.standing .state'): PageView => ({
  ...{ name, isThere },
  hash: `#${SHOWN_RUN}${options}`,
});

/** Every view of the page, with every pane. */
export const pageViews: readonly PageView[] = [
  { name: 'the table of runs', hash: '#', isThere: 'text=resnet-a' },
  { name: 'a filter that finds nothing', hash: '#?q=nothing', isThere: 'main' },
  run('a run with its charts', '?pane=charts'),
  run('a run with an event', '?pane=event&event=3'),
  run('a run beside another one', `?pane=ab&b=${OTHER_RUN}`),
  run('a run raw', '?pane=raw'),
  run('the proof of a run', '?pane=proof'),
  run('the raw events of a run', '?raw=1'),
  run('a filtered log', '?log=type:gate -env:2'),
  { name: 'a run that failed', hash: `#${FAILED_RUN}`, isThere: '.standing .state-failed' },
  {
    name: 'a comparison',
    hash: `#compare?runs=${SHOWN_RUN},${OTHER_RUN},${FAILED_RUN},c1/nobody/default`,
    isThere: '.compare-failure',
  },
  { name: 'no comparison', hash: '#compare', isThere: '.compare' },
  { name: 'an unknown address', hash: '#%', isThere: '.failure' },
  { name: 'an unknown run', hash: '#c1/nobody/default', isThere: '.failure' },
];

/** Has all tests of a file share what the views show: a run that goes on, one like it, and one that has failed. */
export function shownRuns(): ComparedRuns {
  const runs = new ComparedRuns();
  beforeAll(async () => {
    await runs.start();
    addShownRuns(runs);
  });
  afterAll(async () => {
    await runs[Symbol.asyncDispose]();
  });
  return runs;
}

function addShownRuns(runs: ComparedRuns): void {
  const { gateway } = runs;
  const settings = { task: 'cifar', host_params: 1_200_345, slot_ids: ['r0c0', 'r0c1'] };
  runs.add(OTHER_RUN, { rounds: 12, level: 85, settings: { ...settings, lr: 0.0003, seed: 1 } });
  runs.add(FAILED_RUN, { rounds: 7, level: 60, settings: { ...settings, lr: 0.001, seed: 1 } });
  runs.add(SHOWN_RUN, { rounds: 30, level: 80, settings: { ...settings, lr: 0.001, seed: 2 } });
  const receivedAtMs = Date.now();
  gateway.append(FAILED_RUN, [
    {
      eventType: 'RUN_FAILED',
      data: { reason: 'loss is NaN' },
      message: 'loss is NaN (env 2)',
      receivedAtMs,
    },
  ]);
  gateway.append(
    SHOWN_RUN,
    ['SEED_GERMINATED', 'SEED_STAGE_CHANGED', 'SEED_GATE_EVALUATED', 'SEED_FOSSILIZED', 'SEED_PRUNED'].map(
      (eventType) => ({ eventType, data: { slot_id: 'r0c0' }, receivedAtMs }),
    ),
  );
  gateway.append(
    SHOWN_RUN,
    Array.from({ length: 60 }, () => ({ receivedAtMs })),
  );
}
