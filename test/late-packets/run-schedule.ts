import { type FencedWriter, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { SeededRandom } from '../simulation/seeded-random.ts';
import type { KafkaProxy, KafkaProxyHooks } from '../support/kafka-proxy.ts';
import { judgeEnd, judgeNow, type Round } from './commit-judge.ts';
import { Disturbance } from './disturbance.ts';
import type { PartitionFollower } from './partition-follower.ts';

const ROUNDS = 4;
const OFFSETS_CHANCE = 0.5;
/** Another holder takes the id at some step of the round, and commits. */
const RIVAL_CHANCE = 0.06;
/** The holder ends in the middle, as a process that is killed does. */
const CRASH_CHANCE = 0.06;
/** The broker refuses the second half for good, so that the holder aborts. */
const REFUSED_CHANCE = 0.08;
/** A broker refuses timestamps that are an hour ahead of its clock. */
const REFUSED_AHEAD_MS = 24 * 60 * 60 * 1_000;
/** On a busy machine a commit may be rejected although nothing disturbs it. */
const CLOSING_COMMITS_MAX = 5;
/** Two produce requests, two for the offsets, and one each to begin and to commit. */
const STEPS_OF_ROUND = 6;
const EXPECTED = new Set<string>(['fenced', 'unavailable', 'closed']);
/** Opening a writer can take several tries, because a late InitProducerId takes the id too. */
const OPENS_MAX = 10;

export interface Lane {
  /** Opens the log through the proxy. */
  readonly open: () => Promise<TopicIo>;
  /** Past the proxy, for rivals. */
  readonly rivals: TopicIo;
  readonly proxy: KafkaProxy;
  /** Replaces the hooks of the proxy for this lane. */
  readonly setHooks: (hooks: KafkaProxyHooks) => void;
  readonly follower: PartitionFollower;
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly writerId: string;
  readonly group: string;
}

export interface ScheduleReport {
  readonly seed: number;
  readonly violations: readonly string[];
  /** How often each commit ended so: `resolved`, or the code of its rejection. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** `EndTxn of 1 at Produce of 2`: which late requests arrived at which steps, as distances of rounds. */
  readonly arrivals: readonly string[];
  readonly held: number;
  readonly answersLost: number;
  /** What happened, for a reader of a violation. */
  readonly history: readonly string[];
}

/** Runs some transactions under one writer id while their requests are held, lost and delivered late, and judges them. */
export async function runSchedule(lane: Lane, seed: number): Promise<ScheduleReport> {
  const schedule = new Schedule(lane, seed);
  await schedule.run();
  return schedule.report();
}

class Schedule {
  readonly #lane: Lane;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #disturbance: Disturbance;
  readonly #rounds: Round[] = [];
  readonly #violations: string[] = [];
  readonly #outcomes: Record<string, number> = {};
  readonly #arrivals: string[] = [];
  readonly #history: string[] = [];
  #io: TopicIo | null = null;
  #writer: FencedWriter | null = null;
  #round = 0;

  constructor(lane: Lane, seed: number) {
    this.#lane = lane;
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#disturbance = new Disturbance({
      random: this.#random,
      proxy: lane.proxy,
      observer: {
        onCommitPassed: (round) => {
          const asked = this.#rounds.find(({ label }) => label === this.#label(round));
          if (asked !== undefined) asked.isAsked = true;
        },
        onLate: async ({ request, round, during }) => {
          const at = during === null ? 'the end' : `${during.api} of ${this.#round}`;
          this.#history.push(`late ${request.api} of ${round} at ${at}`);
          if (during !== null)
            this.#arrivals.push(`${request.api} at ${during.api}, ${this.#round - round} later`);
          await this.#judge(judgeNow);
        },
      },
    });
  }

  async run(): Promise<void> {
    const { follower, setHooks } = this.#lane;
    try {
      await follower.visible();
      follower.forget();
      setHooks(this.#disturbance);
      for (let round = 1; round <= ROUNDS; round += 1) await this.#commitOne(round);
      await this.#disturbance.end();
      // The next holder decides what is open. Its commit becomes visible only if nothing else holds readers back.
      this.#writer = null;
      let last = ROUNDS;
      do {
        last += 1;
        await this.#commitOne(last);
      } while (this.#rounds.at(-1)?.outcome !== 'resolved' && last < ROUNDS + CLOSING_COMMITS_MAX);
      await this.#judge(judgeEnd);
    } catch (error) {
      this.#violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      setHooks({});
      await this.#io?.[Symbol.asyncDispose]();
    }
  }

  report(): ScheduleReport {
    const { held, answersLost } = this.#disturbance;
    return {
      ...{ seed: this.#seed, violations: this.#violations, outcomes: this.#outcomes },
      ...{ arrivals: this.#arrivals, held, answersLost, history: this.#history },
    };
  }

  #label(round: number): string {
    return `${this.#seed}:${round}`;
  }

  async #commitOne(number: number): Promise<void> {
    this.#round = number;
    this.#disturbance.beginRound(number);
    const random = this.#random.fork(`round ${this.#round}`);
    const { topic, partitions, group, follower } = this.#lane;
    this.#writer ??= await this.#open();
    const round = this.#begin(this.#label(this.#round));
    const offsets = random.chance(OFFSETS_CHANCE)
      ? [{ group, topic, partition: partitions[0]!, offset: this.#round }]
      : [];
    const rival = random.chance(RIVAL_CHANCE) && this.#round <= ROUNDS ? this.#intrude() : null;
    const isLast = number > ROUNDS;
    const aheadMs = !isLast && random.chance(REFUSED_CHANCE) ? REFUSED_AHEAD_MS : 0;
    if (!isLast && random.chance(CRASH_CHANCE)) {
      this.#disturbance.onStep(random.integer(1, STEPS_OF_ROUND), () => this.#crash());
    }
    try {
      await this.#writer.commit({ records: this.#recordsOf(round.label, aheadMs), offsets });
      this.#settle(round, 'resolved', 'resolved');
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      this.#settle(round, 'rejected', `${error.code}: ${error.message}`);
      const isExpected = EXPECTED.has(error.code) || (error.code === 'unusable' && aheadMs > 0);
      if (!isExpected) throw error;
      await this.#writer?.[Symbol.asyncDispose]();
      this.#writer = null;
    }
    await rival;
    if (round.outcome === 'resolved' && !(await follower.comesToShow(round.label))) {
      this.#violations.push(`${round.label} resolved and does not become visible`);
    }
  }

  async #open(): Promise<FencedWriter> {
    for (let opens = 1; ; opens += 1) {
      try {
        this.#io ??= await this.#lane.open();
        return await this.#io.fencedWriter(this.#lane.writerId);
      } catch (error) {
        this.#history.push(`opening failed: ${String(error)}`);
        if (opens === OPENS_MAX) throw error;
      }
    }
  }

  #crash(): void {
    this.#history.push(`the holder of ${this.#round} crashes`);
    void this.#io?.[Symbol.asyncDispose]();
    this.#io = null;
    this.#writer = null;
  }

  async #intrude(): Promise<void> {
    const round = this.#begin(`${this.#label(this.#round)}r`);
    round.isAsked = true;
    try {
      await using writer = await this.#lane.rivals.fencedWriter(this.#lane.writerId);
      await writer.commit({ records: this.#recordsOf(round.label, 0) });
      this.#settle(round, 'resolved', 'resolved');
    } catch (error) {
      this.#settle(round, 'rejected', String(error));
    }
  }

  #begin(label: string): Round {
    const round: Round = { label, outcome: 'running', isAsked: false };
    this.#rounds.push(round);
    return round;
  }

  #settle(round: Round, outcome: Round['outcome'], why: string): void {
    round.outcome = outcome;
    const code = why.split(':')[0]!;
    this.#outcomes[code] = (this.#outcomes[code] ?? 0) + 1;
    this.#history.push(`${round.label} ${why}`);
  }

  #recordsOf(label: string, aheadMs: number) {
    const { topic, partitions } = this.#lane;
    const record = { key: 'key', value: Buffer.from(label), headers: {} };
    return partitions.map((partition, index) => {
      const timestampMs = Date.now() + (index === 0 ? 0 : aheadMs);
      return { topic, partition, records: [{ ...record, timestampMs }] };
    });
  }

  async #judge(judge: typeof judgeNow): Promise<void> {
    const found = judge(this.#rounds, await this.#lane.follower.visible());
    this.#violations.push(...found.filter((violation) => !this.#violations.includes(violation)));
  }
}
