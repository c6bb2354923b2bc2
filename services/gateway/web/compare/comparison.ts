import { type ReadonlySignal, signal } from '@preact/signals';
import type { FiguresUpdate } from '@runlog/client/figures-channel';
import type { ChannelRefusal, RunUpdate } from '@runlog/client/run-update';
import { eventNames } from '@runlog/schema/events/event-types';
import type { EventsPage } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { COMPARED_RUNS_MAX } from '../shell/address.ts';
import type { Connection } from '../shell/connection.ts';
import type { PageFailure } from '../shell/failure.tsx';
import { type RunSettings, settingsOf } from './run-settings.ts';

/** Why a run cannot be compared. It appears by itself when that is over. */
export type ComparedFailure = Extract<PageFailure, { kind: 'unknown_run' | 'deleted' | 'forbidden' }>;

/** One run of a comparison. */
export interface ComparedRun {
  /** `cluster/run/group`. */
  readonly key: string;
  /** Which of the line styles it has, from 0 on. It stays while the run is compared, whoever comes and goes. */
  readonly place: number;
  /** Its state without a log; null until it is there, and in a failure. */
  readonly snapshot: DeliveredSnapshot | null;
  readonly figures: RunFigures | null;
  readonly failure: ComparedFailure | null;
  /** What it was started with; null until it is there. `none`: the log does not say it. */
  readonly settings: RunSettings | 'none' | null;
}

/** Follows several runs at once. */
export interface Comparison extends Disposable {
  /** In the order of the keys. Replaced at most every half a second, and soon after the first answers. */
  readonly runs: ReadonlySignal<readonly ComparedRun[]>;
  /** Follows these runs and no others. */
  compare(keys: readonly string[]): void;
}

/** More than twice a second nobody can read. */
const SHOW_MS_MIN = 500;
const FIRST_SHOW_MS = 40;
/** Less often than the log of one run: of these only the state is shown. */
const STATE_EVERY_MS = 1_000;
/** What is asked for at the same time. A browser has no more connections to one host. */
const ASKED_MAX = 6;
const ASK_AGAIN_MS = 700;
const ATTEMPTS_MAX = 5;
/** The event is the first of the run, or near it. */
const PAGES_MAX = 4;

/**
 * Each run has two subscriptions, one to its figures and one to its state, on the connection of the page: a hundred of the
 * thousand that one may have.
 */
export function createComparison({ connection }: { connection: Connection }): Comparison {
  const held = new Map<string, Followed>();
  const runs = signal<readonly ComparedRun[]>([]);
  const asks = new AskQueue(ASKED_MAX);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let isDisposed = false;

  const show = () => {
    timer = undefined;
    shownAtMs = connection.monotonicMs();
    runs.value = [...held.values()].map(({ run }) => run);
  };
  const showSoon = () => {
    if (timer !== undefined || isDisposed) return;
    timer = setTimeout(show, Math.max(FIRST_SHOW_MS, shownAtMs + SHOW_MS_MIN - connection.monotonicMs()));
  };

  return {
    runs,
    compare(keys) {
      const wanted = new Set(keys.slice(0, COMPARED_RUNS_MAX));
      for (const [key, followed] of held) {
        if (wanted.has(key)) continue;
        followed[Symbol.dispose]();
        held.delete(key);
      }
      const kept = new Map(held);
      held.clear();
      for (const key of wanted) {
        held.set(key, kept.get(key) ?? new Followed(key, freePlace([...kept.values(), ...held.values()])));
      }
      for (const [key, followed] of held) {
        if (!kept.has(key)) followed.begin({ connection, asks, changed: showSoon });
      }
      clearTimeout(timer);
      show();
    },
    [Symbol.dispose]() {
      isDisposed = true;
      clearTimeout(timer);
      asks.clear();
      for (const followed of held.values()) followed[Symbol.dispose]();
      held.clear();
    },
  };
}

interface FollowedWorld {
  readonly connection: Connection;
  readonly asks: AskQueue;
  changed(): void;
}

/** One run, and how it is followed. */
class Followed implements Disposable {
  run: ComparedRun;
  readonly #stop = new AbortController();

  constructor(key: string, place: number) {
    this.run = { key, place, snapshot: null, figures: null, failure: null, settings: null };
  }

  begin(world: FollowedWorld): void {
    const { client } = world.connection;
    const { key } = this.run;
    const { signal } = this.#stop;
    const become = (change: Partial<ComparedRun>) => {
      if (signal.aborted) return;
      this.run = { ...this.run, ...change };
      world.changed();
    };
    const unfollow = client.subscribeRun(key, (update) => this.#take(update, { world, become }), {
      filter: { type: [eventNames.TRAINING_STARTED] },
      minIntervalMs: STATE_EVERY_MS,
      backfill: { entriesMax: 0 },
    });
    const unfigure = client.subscribeFigures(key, (update) => {
      if (update.kind === 'figures') become({ figures: update.figures });
    });
    signal.addEventListener('abort', unfollow, { once: true });
    signal.addEventListener('abort', unfigure, { once: true });
    this.#learnSettings(world, become);
  }

  #take(
    update: RunUpdate | ChannelRefusal | FiguresUpdate,
    { world, become }: { world: FollowedWorld; become: (change: Partial<ComparedRun>) => void },
  ): void {
    const { key, snapshot, failure } = this.run;
    if (update.kind === 'refused') {
      world.connection.noteRefusal(update.code);
      become({ failure: { kind: 'forbidden', key, message: update.message }, snapshot: null });
      return;
    }
    if (update.kind !== 'snapshot' && update.kind !== 'step') return;
    if (update.snapshot.position === null) {
      const wasThere = snapshot !== null || failure?.kind === 'deleted';
      become({
        failure: { kind: wasThere ? 'deleted' : 'unknown_run', key },
        snapshot: null,
        settings: null,
      });
      return;
    }
    const hasBegun = snapshot === null && failure !== null;
    become({ snapshot: update.snapshot, failure: null });
    if (hasBegun) this.#learnSettings(world, become);
  }

  #learnSettings(world: FollowedWorld, become: (change: Partial<ComparedRun>) => void): void {
    const { signal } = this.#stop;
    world.asks.add(async () => {
      if (signal.aborted) return;
      const settings = await askSettings(this.run.key, { connection: world.connection, signal });
      become({ settings });
    });
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

/** Asks for the first TRAINING_STARTED of a run. */
async function askSettings(
  key: string,
  { connection, signal }: { connection: Connection; signal: AbortSignal },
): Promise<RunSettings | 'none' | null> {
  let after = -1;
  for (let pages = 0, attempts = 0; pages < PAGES_MAX && attempts < ATTEMPTS_MAX; ) {
    const query = { type: eventNames.TRAINING_STARTED, limit: 1, after };
    const answer = await connection.ask<EventsPage>(`v1/runs/${key}/events`, { query, signal });
    if (signal.aborted) return null;
    if (answer.kind === 'ok') {
      const [event] = answer.body.events;
      if (event !== undefined) return settingsOf(event);
      if (answer.body.next === null) return 'none';
      after = answer.body.next;
      pages += 1;
    } else if (answer.kind === 'refused' && answer.status < 500) {
      // The row says already that the run is not there, or not for this key.
      return 'none';
    } else {
      attempts += 1;
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS * attempts));
    }
  }
  return 'none';
}

/** Does so many things at a time, the others in their order. It holds at most two for each run that is compared. */
class AskQueue {
  readonly #atOnceMax: number;
  #waiting: (() => Promise<void>)[] = [];
  #open = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  add(does: () => Promise<void>): void {
    this.#waiting.push(does);
    this.#next();
  }

  clear(): void {
    this.#waiting = [];
  }

  #next(): void {
    if (this.#open >= this.#atOnceMax) return;
    const does = this.#waiting.shift();
    if (does === undefined) return;
    this.#open += 1;
    void does().finally(() => {
      this.#open -= 1;
      this.#next();
    });
  }
}

function freePlace(followed: readonly Followed[]): number {
  const taken = new Set(followed.map(({ run }) => run.place));
  let place = 0;
  while (taken.has(place)) place += 1;
  return place;
}
