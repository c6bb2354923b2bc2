import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceProcess } from '../test/support/service-process.ts';
import { rounded } from './benchmark.ts';
import type { LoadSkills } from './fanout-load.ts';
import { post } from './post.ts';
import { percentile } from './rounds.ts';
import { eventsOf } from './sample-events.ts';
import { TalkingChild } from './talking-child.ts';

const SUBSCRIBERS = 500;
const EVENTS_PER_SECOND = 1_000;
const EVENTS_PER_BODY = 10;
const WARM_SECONDS = 3;
const RUN = 0;

/**
 * Measures the time from when an event was due to be posted until a subscriber had its entry, with many subscribers of
 * one run. An event's own timestamp is when it was due, so the delay of a late body counts for each of its events.
 */
export async function latencies(seconds: number): Promise<Readonly<Record<string, unknown>>> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-bench-'));
  try {
    await using up = await ServiceProcess.start('up', { RUNLOG_DATA_DIR: folder });
    await using load = new TalkingChild<LoadSkills>('./fanout-load.ts');
    const host = new URL(up.addresses.gateway!).host;
    await load.ask('connect', { host, count: SUBSCRIBERS, runs: 1, each: 1 });
    await load.ask('subscribe', { host });
    await load.ask('counted', { snapshots: SUBSCRIBERS });
    const poster = new Poster(up.addresses.ingest!);
    await poster.postFor(WARM_SECONDS);
    await load.ask('counted', { entries: poster.posted * SUBSCRIBERS });
    await load.ask('agesMs', { shares: [] });
    const warmed = poster.posted;
    poster.answeredMs.length = 0;
    await poster.postFor(seconds);
    poster.end();
    const { frames, entries } = await load.ask('counted', {
      entries: (poster.posted - warmed) * SUBSCRIBERS,
    });
    const [p50, p99] = await load.ask('agesMs', { shares: [0.5, 0.99] });
    const answered = poster.answeredMs.sort((a, b) => a - b);
    return {
      ...{ p50_ms: rounded(p50!), p99_ms: rounded(p99!) },
      ingest_answer_p50_ms: rounded(percentile(answered, 0.5)),
      ingest_answer_p99_ms: rounded(percentile(answered, 0.99)),
      ...{ subscribers: SUBSCRIBERS, frames, entries },
      how: `runlog up on its own log, ${EVENTS_PER_SECOND} events/s in bodies of ${EVENTS_PER_BODY} at fixed times, counted from when a body was due`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Posts bodies at fixed times, whether or not the earlier ones were answered. */
class Poster {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #events = eventsOf(RUN);
  readonly answeredMs: number[] = [];
  posted = 0;

  constructor(url: string) {
    this.#url = url;
  }

  async postFor(seconds: number): Promise<void> {
    const intervalMs = (1_000 * EVENTS_PER_BODY) / EVENTS_PER_SECOND;
    // Whole milliseconds, because that is what a timestamp holds.
    const fromMs = Math.ceil(epochMs() + intervalMs);
    const answers: Promise<void>[] = [];
    for (let body = 0; body * intervalMs < seconds * 1_000; body += 1) {
      const dueMs = fromMs + body * intervalMs;
      const waitMs = dueMs - epochMs();
      if (waitMs > 0) await delay(waitMs);
      answers.push(this.#post(dueMs));
    }
    await Promise.all(answers);
  }

  end(): void {
    this.#agent.destroy();
  }

  async #post(dueMs: number): Promise<void> {
    const due = `"timestamp":"${new Date(dueMs).toISOString()}"`;
    const lines = Array.from({ length: EVENTS_PER_BODY }, () =>
      this.#events.next().value.json.replace(/"timestamp":\s*"[^"]*"/, due),
    );
    this.posted += lines.length;
    await post({ agent: this.#agent, url: this.#url, body: lines.join('\n') });
    this.answeredMs.push(epochMs() - dueMs);
  }
}

/** The time of day in fractions of a millisecond, comparable between processes. */
function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
