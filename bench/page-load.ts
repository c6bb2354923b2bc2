/** Sends events to ingest at fixed times, from a process of its own. */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { post } from './post.ts';
import { eventsOf } from './sample-events.ts';
import { answerRequests } from './talking-child.ts';

const BODIES_PER_SECOND = 50;
/** A page must not make one row of several probes, so there are fewer than it does that with. */
const PROBES_PER_SECOND = 4;
const FLEET_BODY = 1_000;
const RUN = 0;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const events = eventsOf(RUN);
let probed = 0;
let changed = 0;

const skills = {
  /**
   * Sends events of one run, mixed as they were recorded, and among them probes. Resolves to when each probe was due, by its
   * number, in milliseconds since the epoch.
   */
  async drive({ url, perSecond, seconds }: { url: string; perSecond: number; seconds: number }) {
    const dueOfProbes: Record<number, number> = {};
    const failures = await atFixedTimes(seconds, (at, dueMs) => {
      const timestamp = new Date(dueMs).toISOString();
      const lines = Array.from({ length: perSecond / BODIES_PER_SECOND }, () =>
        events.next().value.json.replace(/"timestamp":\s*"[^"]*"/, `"timestamp":"${timestamp}"`),
      );
      if (at % Math.floor(BODIES_PER_SECOND / PROBES_PER_SECOND) === 0) {
        probed += 1;
        dueOfProbes[probed] = dueMs;
        lines.push(JSON.stringify(probe(probed, timestamp)));
      }
      return post({ agent, url, body: lines.join('\n') });
    });
    return { dueOfProbes, failures };
  },
  /** Gives an event to so many runs a second, one after the other. */
  async change({ url, runs, perSecond, seconds }: Changes & { seconds: number }) {
    return atFixedTimes(seconds, (_, dueMs) => {
      const count = perSecond / BODIES_PER_SECOND;
      const body = Array.from({ length: count }, (_each, at) => epochOf((changed + at) % runs, dueMs));
      changed += count;
      return post({ agent, url, body: body.join('\n') });
    });
  },
  /** Begins runs. */
  async fill({ url, runs }: { url: string; runs: number }) {
    for (let from = 0; from < runs; from += FLEET_BODY) {
      const body = Array.from({ length: FLEET_BODY }, (_, at) => epochOf(from + at, Date.now()));
      await post({ agent, url, body: body.join('\n') });
    }
  },
};
export type PageLoadSkills = typeof skills;

interface Changes {
  readonly url: string;
  readonly runs: number;
  readonly perSecond: number;
}

answerRequests(skills);

/** Sends bodies at fixed times, whether or not the earlier ones were answered. Resolves to how many failed. */
async function atFixedTimes(seconds: number, send: (at: number, dueMs: number) => Promise<void>) {
  const fromMs = Date.now() + 1_000 / BODIES_PER_SECOND;
  const answers: Promise<void>[] = [];
  let failures = 0;
  for (let at = 0; at < seconds * BODIES_PER_SECOND; at += 1) {
    const dueMs = fromMs + (at * 1_000) / BODIES_PER_SECOND;
    if (dueMs > Date.now()) await delay(dueMs - Date.now());
    answers.push(
      send(at, dueMs).catch(() => {
        failures += 1;
      }),
    );
  }
  await Promise.all(answers);
  return failures;
}

/** Warnings are lines of their own, however many other events come. */
const probe = (number: number, timestamp: string) => ({
  ...{ event_id: `probe-${number}`, event_type: 'BENCH_PROBE', run_id: `run-${RUN}`, group_id: 'default' },
  ...{ timestamp, severity: 'warning', message: `probe ${number};` },
});

function epochOf(run: number, atMs: number): string {
  const sent = changed + run;
  return JSON.stringify({
    ...{ event_id: `${run}-${atMs}-${sent}`, event_type: 'EPOCH_COMPLETED', group_id: 'default' },
    ...{ run_id: `fleet-run-${String(run).padStart(5, '0')}`, timestamp: new Date(atMs).toISOString() },
    data: { env_id: run % 4, inner_epoch: 1, val_accuracy: 50 + (sent % 400) / 10, val_loss: 1 },
  });
}
