/** The gateway's own server over many runs made by hand, in a process of its own. Events come when it is asked for them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { startMadeUpGateway } from '../services/gateway/src/made-up/made-up-gateway.ts';
import { MadeUpRuns } from '../services/gateway/src/made-up/made-up-runs.ts';
import { answerRequests, cpuMicros } from './talking-child.ts';

const TICKS_PER_SECOND = 20;
const LOOP_RESOLUTION_MS = 2;

const runs = new MadeUpRuns();
const gateway = await startMadeUpGateway({ runs });
const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
loopDelay.enable();
let next = 0;

const skills = {
  listen: () => new URL(gateway.url).host,
  cpu: () => cpuMicros(),
  /** The longest that the event loop was blocked since the last call. */
  blockedMs() {
    const blocked = loopDelay.max / 1e6 - LOOP_RESOLUTION_MS;
    loopDelay.reset();
    return blocked;
  },
  fill({ runs: count }: { runs: number }) {
    for (let run = 0; run < count; run += 1) runs.append(keyOf(run), [{ receivedAtMs: Date.now() }]);
  },
  /** Gives an event to so many runs a second, one after the other. */
  async drive({ runs: count, perSecond, seconds }: { runs: number; perSecond: number; seconds: number }) {
    const perTick = perSecond / TICKS_PER_SECOND;
    const startMs = performance.now();
    for (let tick = 1; tick <= seconds * TICKS_PER_SECOND; tick += 1) {
      await delay(Math.max(0, startMs + (tick * 1_000) / TICKS_PER_SECOND - performance.now()));
      const receivedAtMs = Date.now();
      const changes = Array.from({ length: perTick }, (_, at) =>
        runs.append(keyOf((next + at) % count), [{ receivedAtMs }]),
      );
      next = (next + perTick) % count;
      gateway.hub.apply(changes);
    }
  },
  /** The position of every run. */
  seqs: () => Object.fromEntries([...runs.states.heads()].map(([key, { position }]) => [key, position.seq])),
};
export type IndexGatewaySkills = typeof skills;

answerRequests(skills);

function keyOf(run: number): string {
  return `c${run % 4}/run-${String(run).padStart(5, '0')}/default`;
}
