/** The gateway's own server over runs made by hand, in a process of its own. Events come when it is asked for them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunChange } from '@runlog/run-feed/run-change';
import { startMadeUpGateway } from '../services/gateway/src/made-up/made-up-gateway.ts';
import { MadeUpRuns } from '../services/gateway/src/made-up/made-up-runs.ts';
import { answerRequests, cpuMicros, settledRssBytes } from './talking-child.ts';

export interface Drive {
  readonly runs: number;
  readonly ticks: number;
  /** At least the hub's interval, so that each tick is sent by itself. */
  readonly intervalMs: number;
  /** The events of each run in one tick. They go out in one delta. */
  readonly events: number;
}

const runs = new MadeUpRuns();
const gateway = await startMadeUpGateway({ runs });

/** The changes of each tick. */
let prepared: RunChange[][] = [];

const skills = {
  listen: () => new URL(gateway.url).host,
  cpu: () => cpuMicros(),
  rss: () => settledRssBytes(),
  /** Gives each run so many events that its log is full, and its milestones are so many. */
  fill({ runs: count, milestones }: { runs: number; milestones: number }) {
    for (let run = 0; run < count; run += 1) {
      const events = Array.from({ length: milestones }, () => ({ eventType: 'SEED_GERMINATED' }));
      runs.append(keyOf(run), [...events, ...Array.from({ length: 100 }, () => ({}))]);
    }
  },
  /** Folds the events of the next drive. What that costs is the fold's matter, and the making of events is ours. */
  prepare({ runs: count, ticks, events }: Drive) {
    const made = Array.from({ length: events }, () => ({}));
    prepared = Array.from({ length: ticks }, () =>
      Array.from({ length: count }, (_, run) => runs.append(keyOf(run), made)),
    );
    global.gc!();
  },
  async drive({ intervalMs }: Drive) {
    for (const changes of prepared) {
      await delay(intervalMs);
      gateway.hub.apply(changes);
    }
  },
};
export type GatewaySkills = typeof skills;

answerRequests(skills);

function keyOf(run: number): string {
  return `local/run-${run}/default`;
}
