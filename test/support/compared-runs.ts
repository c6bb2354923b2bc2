import type { MadeUpEvent } from '@runlog/gateway/made-up/made-up-runs';
import type { RunsAtHand } from '@runlog/gateway/read/runs-at-hand';
import { eventNames } from '@runlog/schema/events/event-types';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { type PastGateway, startPastGateway } from './past-gateway.ts';

/** What a run was started with, beyond what the fixture of TRAINING_STARTED has. */
export type StartedWith = Readonly<Record<string, unknown>>;

/** A gateway whose history has the first event of each run, and nothing else. */
export class ComparedRuns implements AsyncDisposable {
  readonly #starts = new Map<string, StartedWith>();
  /** What was asked of the history: the keys, in their order. */
  readonly asked: string[] = [];
  #gateway: PastGateway | null = null;

  async start(options: Parameters<typeof startPastGateway>[0] = {}): Promise<PastGateway> {
    this.#gateway = await startPastGateway({ ...options, history: this.#history() });
    return this.#gateway;
  }

  get gateway(): PastGateway {
    if (this.#gateway === null) throw new Error('the gateway was not started');
    return this.#gateway;
  }

  /** Adds a run that has come so far. Each round is a second long. */
  add(
    key: string,
    of: { rounds?: number; settings?: StartedWith; level?: number; pace?: number } = {},
  ): void {
    const { rounds = 20, settings = {}, level = 80, pace = 6 } = of;
    const startMs = Date.now() - rounds * 1_000;
    this.#starts.set(key, settings);
    const started = { eventType: eventNames.TRAINING_STARTED, data: settings, receivedAtMs: startMs };
    this.gateway.append(key, [started, ...roundsOf({ rounds, startMs, level, pace, from: 0 })]);
  }

  /** Has a run go on by one round. */
  goOn(key: string, of: { round: number; accuracy: number }): void {
    this.gateway.append(key, [roundOf({ ...of, atMs: Date.now() })]);
  }

  #history(): RunsAtHand['history'] {
    return {
      page: async ({ state, after = -1, before = Number.POSITIVE_INFINITY }) => {
        const key = formatRunKey(state);
        this.asked.push(key);
        const data = this.#starts.get(key);
        const seq = state.first_seq;
        if (data === undefined || seq <= after || seq >= before) return { events: [], next: null, oldest: 0 };
        const event = { event_id: 'first', event_type: eventNames.TRAINING_STARTED, data };
        const stored = { seq, received_at: null, entry: null, duplicate: false, event };
        return { events: [JSON.stringify(stored)], next: null, oldest: 0 };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
  }
}

function roundsOf(of: {
  rounds: number;
  startMs: number;
  level: number;
  pace: number;
  from: number;
}): MadeUpEvent[] {
  const events: MadeUpEvent[] = [];
  for (let round = of.from + 1; round <= of.rounds; round += 1) {
    const atMs = of.startMs + round * 1_000;
    const share = 1 - Math.exp(-round / of.pace);
    events.push({
      eventType: eventNames.PPO_UPDATE_COMPLETED,
      data: {
        entropy: 1.1 - 0.4 * share + 0.03 * Math.sin(round * of.pace),
        kl_divergence: 0.012 + 0.004 * Math.sin(round * 2.1 + of.level),
        clip_fraction: 0.15 + 0.08 * Math.sin(round * 1.3 + of.level),
      },
      receivedAtMs: atMs - 300,
    });
    events.push(roundOf({ round, accuracy: of.level * (0.3 + 0.7 * share), atMs }));
  }
  return events;
}

function roundOf({ round, accuracy, atMs }: { round: number; accuracy: number; atMs: number }): MadeUpEvent {
  return {
    eventType: eventNames.BATCH_EPOCH_COMPLETED,
    data: {
      batch_idx: round,
      avg_accuracy: accuracy,
      avg_reward: accuracy / 250,
      episodes_completed: round * 4,
    },
    receivedAtMs: atMs,
  };
}
