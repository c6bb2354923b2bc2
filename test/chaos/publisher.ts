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
import type { Note } from './history/history-file.ts';

/** Longer than ingest takes to report that the log did not answer. A frozen ingest never answers. */
const ANSWER_MS_MAX = 12_000;
const RESEND_MS_MIN = 50;
const RESEND_MS_MAX = 1_000;

/** An emitter of the load. It serves its runs in turn, and counts the events of each run separately. */
export interface EmitterPlan {
  readonly id: string;
  readonly runs: readonly string[];
  readonly isNumbered: boolean;
  readonly bodyEvents: number;
  readonly eventsPerSecond: number;
  /** The number of bodies in flight at once. If it is above 1, they overtake each other. */
  readonly bodiesUnderWayMax: number;
  /** The share of its bodies that it sends twice at the same moment, as an impatient client or a network does. */
  readonly copyChance: number;
}

/** The events that the emitters sent for a run. `event_id` is `<emitter>:<run>:<n>`, n = 1, 2, 3 … */
export interface SentRun {
  readonly key: string;
  /**
   * The number of events of this run that were acknowledged, by emitter. Once all are, these are the numbers up to
   * here.
   */
  readonly acknowledged: Map<string, number>;
}

export function eventIdOf(of: { emitter: string; run: string; n: number }): string {
  return `${of.emitter}:${of.run}:${of.n}`;
}

/** Returns null if it is not an id of the load. */
export function parseEventId(id: string): { emitter: string; run: string; n: number } | null {
  const match = /^([^:]+):([^:]+):(\d+)$/.exec(id);
  return match === null ? null : { emitter: match[1]!, run: match[2]!, n: Number(match[3]) };
}

function keyOf(run: string): string {
  return `local/${run}/default`;
}

interface Line {
  readonly run: string;
  readonly id: string;
  readonly text: string;
}

/**
 * Runs emitters that post NDJSON bodies. Events that were not acknowledged are sent again, unchanged, to whichever
 * ingest answers. It keeps its own record of the acknowledged events.
 */
export class Publisher {
  readonly runs = new Map<string, SentRun>();
  /** The number of acknowledged events of all runs. */
  acknowledged = 0;
  /** The number of events that were sent again; each repetition counts. */
  resent = 0;
  /** The number of bodies that were sent twice at once. */
  copies = 0;
  readonly violations: string[] = [];
  readonly #targets: () => readonly string[];
  readonly #answerMsMax: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #random: SeededRandom;
  readonly #note: Note;
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #onPost = new Set<(target: string) => void>();

  constructor(options: {
    emitters: readonly EmitterPlan[];
    /** Returns the present addresses of ingest. */
    targets: () => readonly string[];
    random: SeededRandom;
    /** After this time it considers a body lost and sends it again, which may append it twice. */
    answerMsMax?: number;
    /** Header fields of each request, for a key. */
    headers?: Readonly<Record<string, string>>;
    note?: Note;
  }) {
    this.#note = options.note ?? (() => undefined);
    this.#targets = options.targets;
    this.#answerMsMax = options.answerMsMax ?? ANSWER_MS_MAX;
    this.#headers = options.headers ?? {};
    this.#random = options.random;
    this.#running = Promise.all(options.emitters.map((emitter) => this.#emit(emitter)));
    this.#running.catch((error: unknown) => this.violations.push(`the publisher broke: ${String(error)}`));
  }

  /** Makes no new events, and resolves when everything sent is acknowledged. Rejects if that takes too long. */
  async drain(withinMs: number): Promise<void> {
    this.#stop.abort();
    const timer = setTimeout(() => this.#giveUp.abort(), withinMs);
    await this.#running;
    clearTimeout(timer);
    if (this.#giveUp.signal.aborted) throw new Error(`events are not acknowledged within ${withinMs} ms`);
  }

  /** Resolves when the next body has been sent to the address. */
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
      // Events that were delayed by an outage are not sent faster later.
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
      const id = eventIdOf({ emitter: emitter.id, run, n });
      const overrides = {
        event_id: id,
        run_id: run,
        timestamp: new Date().toISOString(),
        ...(emitter.isNumbered ? { emitter_id: emitter.id, emitter_seq: n } : {}),
      };
      const make = n === 1 ? trainingStarted : this.#random.pick(EVENT_MAKERS);
      return { run, id, text: JSON.stringify(make(overrides)) };
    });
  }

  /** Sends the body until every line is acknowledged. */
  async #deliver(emitter: EmitterPlan, body: readonly Line[]): Promise<void> {
    const copy = this.#random.chance(emitter.copyChance) ? this.#post(body) : null;
    if (copy !== null) this.copies += 1;
    let left = body;
    let resendMs = RESEND_MS_MIN;
    while (left.length > 0 && !this.#giveUp.signal.aborted) {
      const again = await this.#post(left);
      const toResend = new Set(again);
      for (const [index, line] of left.entries())
        if (!toResend.has(index)) this.#noteAcknowledged(emitter.id, line);
      if (again.length < left.length) resendMs = RESEND_MS_MIN;
      left = left.filter((_, index) => toResend.has(index));
      if (left.length === 0) break;
      this.resent += left.length;
      await pause(this.#random.between(resendMs / 2, resendMs), this.#giveUp.signal);
      resendMs = Math.min(resendMs * 2, RESEND_MS_MAX);
    }
    await copy;
  }

  /** Posts lines and returns the indexes of those to send again. */
  async #post(lines: readonly Line[]): Promise<number[]> {
    const all = [...lines.keys()];
    const targets = this.#targets();
    if (targets.length === 0) return all;
    const target = this.#random.pick(targets);
    for (const note of [...this.#onPost]) note(target);
    const atMs = performance.now();
    for (const { run, id } of lines) this.#note({ kind: 'sent', key: keyOf(run), id, atMs });
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${target}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson', ...this.#headers },
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

  #noteAcknowledged(emitter: string, { run, id }: Line): void {
    this.#note({ kind: 'acknowledged', key: keyOf(run), id, atMs: performance.now() });
    let sent = this.runs.get(run);
    if (sent === undefined) {
      sent = { key: keyOf(run), acknowledged: new Map() };
      this.runs.set(run, sent);
    }
    sent.acknowledged.set(emitter, (sent.acknowledged.get(emitter) ?? 0) + 1);
    this.acknowledged += 1;
  }
}

/** All of these make entries, so that a subscriber notices a missing one. */
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
