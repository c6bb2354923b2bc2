import { setTimeout as delay } from 'node:timers/promises';
import { ingestResponseSchema } from '@runlog/schema/http/ingest-api';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import {
  batchCompleted,
  epochCompleted,
  otherEvent,
  seedFossilized,
  trainingStarted,
} from '../support/event-factory.ts';

/** Longer than ingest takes to say that the log did not answer; a frozen one never says anything. */
const ANSWER_MS_MAX = 12_000;
const RESEND_MS_MIN = 50;
const RESEND_MS_MAX = 1_000;

/** An emitter of the load: its runs in turn, each with a count of its own. */
export interface EmitterPlan {
  readonly id: string;
  readonly runs: readonly string[];
  readonly isNumbered: boolean;
  readonly bodyEvents: number;
  readonly eventsPerSecond: number;
  /** Bodies under way at once; above 1 they overtake each other. */
  readonly bodiesUnderWayMax: number;
  /** Of its bodies, how many it sends twice at the same moment, as a nervous client or a network does. */
  readonly copyChance: number;
}

/** What the emitters gave a run. `event_id` is `<emitter>:<run>:<n>`, n = 1, 2, 3 … */
export interface SentRun {
  readonly key: string;
  /** Emitter → how many events of this run were acknowledged; once all are, they are the numbers up to here. */
  readonly acknowledged: Map<string, number>;
}

export function eventIdOf(of: { emitter: string; run: string; n: number }): string {
  return `${of.emitter}:${of.run}:${of.n}`;
}

/** `null`: not an id of the load. */
export function parseEventId(id: string): { emitter: string; run: string; n: number } | null {
  const match = /^([^:]+):([^:]+):(\d+)$/.exec(id);
  return match === null ? null : { emitter: match[1]!, run: match[2]!, n: Number(match[3]) };
}

interface Line {
  readonly run: string;
  readonly text: string;
}

/**
 * Emitters that post NDJSON bodies, each with one body under way, and send what was not acknowledged again, unchanged,
 * to whichever ingest answers. Keeps its own record of what was acknowledged.
 */
export class Publisher {
  readonly runs = new Map<string, SentRun>();
  /** Events that were acknowledged, over all runs. */
  acknowledged = 0;
  /** Events that were sent more than once, each time counted. */
  resent = 0;
  /** Bodies that were sent twice at once. */
  copies = 0;
  readonly violations: string[] = [];
  readonly #targets: () => readonly string[];
  readonly #answerMsMax: number;
  readonly #random: SeededRandom;
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #onPost = new Set<(target: string) => void>();

  constructor(options: {
    emitters: readonly EmitterPlan[];
    /** Addresses of ingest, as they are now. */
    targets: () => readonly string[];
    random: SeededRandom;
    /** Then it takes a body for lost and sends it again, which may append it twice. */
    answerMsMax?: number;
  }) {
    this.#targets = options.targets;
    this.#answerMsMax = options.answerMsMax ?? ANSWER_MS_MAX;
    this.#random = options.random;
    this.#running = Promise.all(options.emitters.map((emitter) => this.#emit(emitter)));
    this.#running.catch((error: unknown) => this.violations.push(`the publisher broke: ${String(error)}`));
  }

  /** No new events; resolves when everything sent is acknowledged. Rejects when that does not come in time. */
  async drain(withinMs: number): Promise<void> {
    this.#stop.abort();
    const timer = setTimeout(() => this.#giveUp.abort(), withinMs);
    await this.#running;
    clearTimeout(timer);
    if (this.#giveUp.signal.aborted) throw new Error(`events are not acknowledged within ${withinMs} ms`);
  }

  /** Resolves when the next body is on its way to the address. */
  nextPostTo(target: string): Promise<void> {
    return new Promise((resolve) => {
      const note = (posted: string) => {
        if (posted !== target) return;
        this.#onPost.delete(note);
        resolve();
      };
      this.#onPost.add(note);
    });
  }

  async abandon(): Promise<void> {
    this.#stop.abort();
    this.#giveUp.abort();
    await this.#running.catch(() => undefined);
  }

  async #emit(emitter: EmitterPlan): Promise<void> {
    const bodyMs = (emitter.bodyEvents / emitter.eventsPerSecond) * 1_000;
    let dueMs = performance.now() + this.#random.between(0, bodyMs);
    const counts = new Map<string, number>();
    const underWay = new Set<Promise<void>>();
    while (!this.#stop.signal.aborted) {
      await pause(dueMs - performance.now(), this.#stop.signal);
      if (underWay.size >= emitter.bodiesUnderWayMax) await Promise.race(underWay);
      // What an outage held up is not made up for: the load is what is sent, not what was meant to be.
      dueMs = Math.max(dueMs + bodyMs, performance.now());
      if (this.#stop.signal.aborted) break;
      const delivery = this.#deliver(emitter, this.#body(emitter, counts)).finally(() =>
        underWay.delete(delivery),
      );
      underWay.add(delivery);
    }
    await Promise.all(underWay);
  }

  #body(emitter: EmitterPlan, counts: Map<string, number>): Line[] {
    return Array.from({ length: emitter.bodyEvents }, () => {
      const run = this.#random.pick(emitter.runs);
      const n = (counts.get(run) ?? 0) + 1;
      counts.set(run, n);
      const overrides = {
        event_id: eventIdOf({ emitter: emitter.id, run, n }),
        run_id: run,
        timestamp: new Date().toISOString(),
        ...(emitter.isNumbered ? { emitter_id: emitter.id, emitter_seq: n } : {}),
      };
      const make = n === 1 ? trainingStarted : this.#random.pick(EVENT_MAKERS);
      return { run, text: JSON.stringify(make(overrides)) };
    });
  }

  /** Until every line is acknowledged. */
  async #deliver(emitter: EmitterPlan, body: readonly Line[]): Promise<void> {
    const copy = this.#random.chance(emitter.copyChance) ? this.#post(body) : null;
    if (copy !== null) this.copies += 1;
    let left = body;
    let resendMs = RESEND_MS_MIN;
    while (left.length > 0 && !this.#giveUp.signal.aborted) {
      const again = await this.#post(left);
      const toResend = new Set(again);
      for (const [index, { run }] of left.entries())
        if (!toResend.has(index)) this.#noteAcknowledged(emitter.id, run);
      if (again.length < left.length) resendMs = RESEND_MS_MIN;
      left = left.filter((_, index) => toResend.has(index));
      if (left.length === 0) break;
      this.resent += left.length;
      await pause(this.#random.between(resendMs / 2, resendMs), this.#giveUp.signal);
      resendMs = Math.min(resendMs * 2, RESEND_MS_MAX);
    }
    await copy;
  }

  /** Indexes of the lines to send again. */
  async #post(lines: readonly Line[]): Promise<number[]> {
    const all = [...lines.keys()];
    const targets = this.#targets();
    if (targets.length === 0) return all;
    const target = this.#random.pick(targets);
    for (const note of [...this.#onPost]) note(target);
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${target}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: lines.map((line) => line.text).join('\n'),
        signal: AbortSignal.timeout(this.#answerMsMax),
      });
      status = response.status;
      text = await response.text();
    } catch {
      return all;
    }
    if (status === 503 || status === 429 || status === 408) return all;
    if (status !== 200) {
      this.violations.push(`ingest answered ${status}: ${text.slice(0, 300)}`);
      return all;
    }
    const answer = ingestResponseSchema.safeParse(parsed(text));
    if (!answer.success) {
      this.violations.push(`ingest answered ${text.slice(0, 300)}`);
      return all;
    }
    const { accepted, rejected, retry, retry_indexes } = answer.data;
    const again = retry_indexes.flatMap(([from, to]) =>
      Array.from({ length: to - from + 1 }, (_, at) => from + at),
    );
    if (rejected > 0 || accepted + retry !== lines.length || again.length !== retry) {
      this.violations.push(`ingest answered ${text.slice(0, 300)} to ${lines.length} valid events`);
    }
    return again;
  }

  #noteAcknowledged(emitter: string, run: string): void {
    let sent = this.runs.get(run);
    if (sent === undefined) {
      sent = { key: `local/${run}/default`, acknowledged: new Map() };
      this.runs.set(run, sent);
    }
    sent.acknowledged.set(emitter, (sent.acknowledged.get(emitter) ?? 0) + 1);
    this.acknowledged += 1;
  }
}

/** All of them make entries, so that a subscriber can tell a missing one. */
const EVENT_MAKERS = [
  epochCompleted,
  epochCompleted,
  epochCompleted,
  batchCompleted,
  seedFossilized,
  (overrides: Parameters<typeof epochCompleted>[0]) => otherEvent('CUSTOM', overrides),
] as const;

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
