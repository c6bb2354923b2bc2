import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import { eventsPerSecond, rowOf } from '@runlog/run-state/delivery';
import { conditionHoldsUntilMs, conditionOf } from '@runlog/run-state/run-condition';
import { type RunHead, type RunState, runStateSchema } from '@runlog/schema/run/snapshot';

/** What rows are made from. Listing runs wakes none of them. */
export interface IndexSource {
  readonly states: Pick<ReadonlyRunStates, 'head' | 'heads'>;
  readonly figures: Pick<ReadonlyFigureStates, 'spark'>;
}

export const runStates = runStateSchema.options;

/** A run as the index holds it. It is changed in place. */
export interface IndexedRun {
  readonly key: string;
  /** A small number of its own while it is listed. Those of runs that are gone are given to others. */
  readonly slot: number;
  head: RunHead;
  state: RunState;
  /** Until then the state does not change unless an event comes. */
  holdsUntilMs: number;
  /** Its row as JSON, as it was written last. */
  text: string;
  /** Grows whenever the text changes. Two texts of a key that differ never have the same. */
  version: number;
  /** Is true if the text must be written again before it is used. */
  isStale: boolean;
  /** The events a second that its row says. They fall by time alone. */
  rate: number;
  /** When the text was written. */
  writtenAtMs: number;
}

/** What happened to runs since the changes before. Runs that only time changed are in `moved` too. */
export interface IndexedChanges {
  readonly added: readonly IndexedRun[];
  /** Runs that were listed and still are. */
  readonly moved: readonly IndexedRun[];
  /** Runs among `moved` whose task has another name. */
  readonly renamed: ReadonlySet<IndexedRun>;
  readonly gone: readonly IndexedRun[];
}

/** A rate that fell is told again after so long at the earliest. */
const RATE_TOLD_AFTER_MS = 5_000;

/** The runs that are listed, each once, whatever the number of views. */
export class IndexedRuns {
  readonly #source: IndexSource;
  readonly #runs = new Map<string, IndexedRun>();
  /** By slot: the keys side by side, so that a glob need not look at each run. */
  readonly #keys: (string | undefined)[] = [];
  readonly #touched = new Set<string>();
  readonly #freeSlots: number[] = [];
  readonly #takeVersion: () => number;
  #slots = 0;
  #changesAtMs = Number.POSITIVE_INFINITY;

  /** `takeVersion` returns a greater number at each call. */
  constructor(source: IndexSource, options: { nowMs: number; takeVersion: () => number }) {
    this.#source = source;
    this.#takeVersion = options.takeVersion;
    for (const [key, head] of source.states.heads()) this.#add(key, head, options.nowMs);
    this.#noteNextChange();
  }

  /** The number of slots that were given out. Every slot is below it. */
  get slots(): number {
    return this.#slots;
  }

  /** Whether changes wait to be taken. */
  get isTouched(): boolean {
    return this.#touched.size > 0;
  }

  /** When time alone will change the state of a run, or Infinity. */
  get changesAtMs(): number {
    return this.#changesAtMs;
  }

  /** The key of each slot; undefined where no run is listed. */
  get keys(): readonly (string | undefined)[] {
    return this.#keys;
  }

  get(key: string): IndexedRun | undefined {
    return this.#runs.get(key);
  }

  values(): MapIterator<IndexedRun> {
    return this.#runs.values();
  }

  touch(key: string): void {
    this.#touched.add(key);
  }

  /** Takes every change up to now, and judges again the runs that only time changed. */
  takeChanges(nowMs: number): IndexedChanges {
    const changes = {
      added: [] as IndexedRun[],
      moved: [] as IndexedRun[],
      renamed: new Set<IndexedRun>(),
      gone: [] as IndexedRun[],
    };
    for (const key of this.#touched) {
      const head = this.#source.states.head(key);
      const run = this.#runs.get(key);
      if (run === undefined) {
        if (head !== undefined) changes.added.push(this.#add(key, head, nowMs));
      } else if (head === undefined) {
        changes.gone.push(run);
        this.#runs.delete(key);
        this.#keys[run.slot] = undefined;
        this.#freeSlots.push(run.slot);
      } else {
        if (head.task_name !== run.head.task_name) changes.renamed.add(run);
        run.head = head;
        judge(run, nowMs);
        changes.moved.push(run);
      }
    }
    this.#touched.clear();
    if (nowMs >= this.#changesAtMs) {
      for (const run of this.#runs.values()) {
        if (nowMs <= run.holdsUntilMs) continue;
        judge(run, nowMs);
        changes.moved.push(run);
      }
    }
    this.#noteNextChange();
    return changes;
  }

  /** Returns the run's row as JSON. */
  textOf(run: IndexedRun, nowMs: number): string {
    if (!run.isStale) return run.text;
    const row = rowOf(run.head, { nowMs, spark: this.#source.figures.spark(run.key) });
    const text = JSON.stringify(row);
    run.isStale = false;
    run.rate = row.events_per_second;
    run.writtenAtMs = nowMs;
    if (text !== run.text) {
      run.text = text;
      run.version = this.#takeVersion();
    }
    return text;
  }

  /** Returns whether the text must be written again, also because the rate that it says has fallen. */
  isOld(run: IndexedRun, nowMs: number): boolean {
    if (run.isStale || run.rate === 0 || nowMs - run.writtenAtMs < RATE_TOLD_AFTER_MS) return run.isStale;
    run.isStale = eventsPerSecond(run.head, nowMs) !== run.rate;
    return run.isStale;
  }

  #add(key: string, head: RunHead, nowMs: number): IndexedRun {
    // Written out, because spreading costs more than all else here, and this is done for every run when somebody looks.
    const run: IndexedRun = {
      key,
      slot: this.#freeSlots.pop() ?? this.#slots,
      head,
      state: 'running',
      holdsUntilMs: Number.POSITIVE_INFINITY,
      text: '',
      version: 0,
      isStale: true,
      rate: 0,
      writtenAtMs: 0,
    };
    if (run.slot === this.#slots) this.#slots += 1;
    judge(run, nowMs);
    this.#runs.set(key, run);
    this.#keys[run.slot] = key;
    return run;
  }

  /** One number a run is compared. For 10,000 runs that takes less than keeping them in the order of it. */
  #noteNextChange(): void {
    let holdsUntilMs = Number.POSITIVE_INFINITY;
    for (const run of this.#runs.values())
      if (run.holdsUntilMs < holdsUntilMs) holdsUntilMs = run.holdsUntilMs;
    this.#changesAtMs = holdsUntilMs + 1;
  }
}

function judge(run: IndexedRun, nowMs: number): void {
  run.state = conditionOf(run.head, nowMs).state;
  run.holdsUntilMs = conditionHoldsUntilMs(run.head, nowMs);
  run.isStale = true;
}
