import type { RunChange } from '@runlog/run-feed/run-change';
import { STREAM_INDEX_ROWS_DEFAULT } from '@runlog/schema/limits';
import { RUN_SORT_DEFAULT } from '@runlog/schema/run/run-sorting';
import { compileWhere } from '@runlog/schema/run/run-where';
import type { RunGroup, RunGroupField, RunSort, RunState } from '@runlog/schema/run/snapshot';
import type { IndexSubscription as AskedView } from '@runlog/schema/stream/subscriptions';
import type { Clock } from '@runlog/service-kit/clock';
import type { Viewer } from '../access.ts';
import { answerTo, type EncodedFrame, encoded, SharedEnd } from './encoded-frame.ts';
import {
  type IndexedChanges,
  type IndexedRun,
  IndexedRuns,
  type IndexSource,
  runStates,
} from './indexed-runs.ts';
import { OrderedRuns } from './ordered-runs.ts';
import { RunGroups } from './run-groups.ts';
import { RunSelection } from './run-selection.ts';

/** The least time between two frames of one view. */
const INDEX_INTERVAL_MS = 1_000;
/** A client that joins is answered with what was known so long ago, so that many that come together cost one look. */
const ANSWER_AGE_MS_MAX = 100;
/** No timer is set for longer. A look that finds nothing costs next to nothing. */
const WAIT_MS_MAX = 60_000;

/** A subscriber, as the index sees it. It must not call the index from its method. */
export interface IndexListener {
  /** Returns false if there is no room; the subscription then asks with `catchUp`. */
  deliver(frame: EncodedFrame): boolean;
}

/** One client's interest in one view. */
export interface IndexSubscription {
  readonly view: IndexView;
  readonly listener: IndexListener;
  isLive: boolean;
  /** What the client of a subscription that is not live holds. Null before it joins. */
  held: Window | null;
}

/** The rows of a view at a moment: all that is needed to tell what differs later. */
interface Window {
  /** The version of each row, by key. */
  readonly versions: ReadonlyMap<string, number>;
  readonly total: number;
  /** As JSON. */
  readonly counts: string;
  /** The member of frames that has the groups; empty if the view is not grouped. */
  readonly groups: string;
}

interface IndexView {
  readonly name: string;
  readonly ch: string;
  readonly selection: RunSelection;
  readonly order: OrderedRuns;
  /** Null if the view is not grouped. */
  readonly groups: RunGroups | null;
  readonly states: ReadonlySet<RunState>;
  readonly limit: number;
  readonly offset: number;
  readonly subscriptions: Set<IndexSubscription>;
  /** The runs of the window, in order. */
  runs: readonly IndexedRun[];
  /** What every live client holds. Null before the first of them joins. */
  window: Window | null;
  /** The answer to a client that joins now, if one joined since the window changed. */
  answer: SharedEnd | null;
  isStale: boolean;
}

/**
 * The run index. A view shows the runs that a glob, names and figures select, in some states, in one order, through a
 * window. A
 * subscriber gets the rows of the window, then at most once a second those that are new or changed. A view is computed
 * once for all its subscribers. What is held for a slow one is bounded by its window, not by what happens meanwhile.
 */
export class IndexViews {
  #source: IndexSource;
  readonly #clock: Clock;
  readonly #views = new Map<string, IndexView>();
  readonly #selections = new Map<string, RunSelection>();
  readonly #orders = new Map<RunSort, OrderedRuns>();
  readonly #groups = new Map<RunGroupField, RunGroups>();
  /** Null while nobody looks. */
  #runs: IndexedRuns | null = null;
  #version = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null;

  constructor(options: IndexSource & { clock: Clock }) {
    this.#source = options;
    this.#clock = options.clock;
  }

  touch(changes: readonly Pick<RunChange, 'key'>[]): void {
    if (this.#runs === null || changes.length === 0) return;
    for (const { key } of changes) this.#runs.touch(key);
    this.#schedule();
  }

  /** Switches to all runs folded anew. */
  switchTo(source: IndexSource): void {
    this.#source = source;
    if (this.#runs === null) return;
    this.#runs = this.#newRuns();
    for (const selection of this.#selections.values()) selection.restart(this.#runs);
    for (const order of this.#orders.values()) order.restart(this.#runs);
    for (const groups of this.#groups.values()) groups.restart(this.#runs);
    for (const view of this.#views.values()) view.isStale = true;
    this.#look();
  }

  /** Registers an interest. Nothing is delivered before `join`. */
  attach(of: { glob: string; viewer: Viewer; asked: AskedView }, listener: IndexListener): IndexSubscription {
    this.#runs ??= this.#newRuns();
    const view = this.#viewOf(of, this.#runs);
    const subscription: IndexSubscription = { view, listener, isLive: false, held: null };
    view.subscriptions.add(subscription);
    return subscription;
  }

  detach(subscription: IndexSubscription): void {
    const { view } = subscription;
    view.subscriptions.delete(subscription);
    if (view.subscriptions.size > 0) return;
    this.#views.delete(view.name);
    release(this.#selections, view.selection);
    release(this.#orders, view.order);
    if (view.groups !== null) release(this.#groups, view.groups);
    if (this.#views.size > 0) return;
    this.dispose();
    this.#runs = null;
  }

  /** Returns the answer to the subscription: the rows of the window. From now on it is live. */
  join(subscription: IndexSubscription, id: number): EncodedFrame {
    const { view } = subscription;
    this.#bringUp(view);
    subscription.isLive = true;
    subscription.held = null;
    view.answer ??= new SharedEnd(this.#answerOf(view));
    return answerTo(id, view.answer);
  }

  /** Makes a subscription live again that had no room. Returns what differs from what its client holds, if anything. */
  catchUp(subscription: IndexSubscription): EncodedFrame | null {
    const { view, held } = subscription;
    if (held === null) return null;
    this.#bringUp(view);
    subscription.isLive = true;
    subscription.held = null;
    return this.#stepFrom(held, view);
  }

  /** Stops every timer. */
  dispose(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #newRuns(): IndexedRuns {
    const takeVersion = () => {
      this.#version += 1;
      return this.#version;
    };
    return new IndexedRuns(this.#source, { nowMs: this.#clock.now(), takeVersion });
  }

  #viewOf(of: { glob: string; viewer: Viewer; asked: AskedView }, runs: IndexedRuns): IndexView {
    const { glob, viewer, asked } = of;
    const q = asked.q?.toLowerCase() ?? null;
    const task = asked.task?.toLowerCase() ?? null;
    const cluster = asked.cluster ?? null;
    const where = compileWhere(asked.where);
    const sort = asked.sort ?? RUN_SORT_DEFAULT;
    const groupBy = asked.group_by ?? null;
    const states = new Set(runStates.filter((state) => asked.status?.includes(state) ?? true));
    const limit = asked.limit ?? STREAM_INDEX_ROWS_DEFAULT;
    const offset = asked.offset ?? 0;
    const selectionName = JSON.stringify([glob, viewer.scope, q, task, cluster, where?.name ?? null]);
    const name = JSON.stringify([selectionName, [...states], sort, groupBy, limit, offset]);
    let view = this.#views.get(name);
    if (view === undefined) {
      const selection = obtain(this.#selections, selectionName, () => {
        const made = new RunSelection({ glob, q, task, cluster, where, viewer });
        made.restart(runs);
        return made;
      });
      const order = obtain(this.#orders, sort, () => {
        const made = new OrderedRuns(sort);
        made.restart(runs);
        return made;
      });
      const groups =
        groupBy === null
          ? null
          : obtain(this.#groups, groupBy, () => {
              const made = new RunGroups(groupBy);
              made.restart(runs);
              return made;
            });
      view = {
        ...{ name, ch: asked.ch, selection, order, groups, states, limit, offset },
        ...{ subscriptions: new Set(), runs: [], window: null, answer: null, isStale: true },
      };
      this.#views.set(name, view);
    }
    return view;
  }

  /** Brings the window of a view to a state that is new enough for an answer. */
  #bringUp(view: IndexView): void {
    const ageMs = this.#clock.now() - this.#lookedAtMs;
    if (this.#runs?.isTouched === true && (ageMs >= ANSWER_AGE_MS_MAX || ageMs < 0)) this.#look();
    if (view.window === null) {
      this.#refresh(view);
      this.#schedule();
    }
  }

  /** Takes all changes and sends every view what changed in it. */
  #look(): void {
    const runs = this.#runs;
    if (runs === null) return;
    const nowMs = this.#clock.now();
    this.#lookedAtMs = nowMs;
    this.#take(runs.takeChanges(nowMs), runs);
    this.#findOldRates(runs, nowMs);
    for (const view of this.#views.values()) if (view.isStale && view.window !== null) this.#flush(view);
    this.#schedule();
  }

  #take(changes: IndexedChanges, runs: IndexedRuns): void {
    const { added, moved, gone } = changes;
    if (added.length + moved.length + gone.length === 0) return;
    const touched = new Set<RunSelection>();
    for (const selection of this.#selections.values()) {
      if (selection.apply(changes, runs.slots)) touched.add(selection);
    }
    for (const order of this.#orders.values()) order.apply(changes);
    for (const groups of this.#groups.values()) groups.apply(changes, runs.slots);
    for (const view of this.#views.values()) if (touched.has(view.selection)) view.isStale = true;
  }

  /** Finds the views in which a row says a rate that has fallen since. */
  #findOldRates(runs: IndexedRuns, nowMs: number): void {
    for (const view of this.#views.values()) {
      for (const run of view.runs) if (runs.isOld(run, nowMs)) view.isStale = true;
    }
  }

  #flush(view: IndexView): void {
    const before = view.window!;
    this.#refresh(view);
    const frame = this.#stepFrom(before, view);
    if (frame === null) return;
    for (const subscription of view.subscriptions) {
      if (!subscription.isLive || subscription.listener.deliver(frame)) continue;
      subscription.isLive = false;
      subscription.held = before;
    }
  }

  #refresh(view: IndexView): void {
    const { selection, states } = view;
    const nowMs = this.#clock.now();
    const total = selection.totalOf(states);
    const groups = this.#select(view, total);
    view.isStale = false;
    const versions = new Map<string, number>();
    for (const run of view.runs) {
      this.#runs!.textOf(run, nowMs);
      versions.set(run.key, run.version);
    }
    view.window = {
      ...{ versions, total, counts: JSON.stringify(selection.counts) },
      groups: groups === null ? '' : `,"groups":${JSON.stringify(groups)}`,
    };
    view.answer = null;
  }

  /** Takes the runs of the window anew. Returns the groups of a view that is grouped. */
  #select(view: IndexView, total: number): readonly RunGroup[] | null {
    const { selection, order, groups, states, offset, limit } = view;
    // There is nothing to find beyond the total.
    const window = { states, from: offset, to: Math.min(total, offset + limit) };
    if (groups === null) {
      view.runs = selection.slice(order, window);
      return null;
    }
    const slice = selection.groupedSlice(order, { groups, ...window });
    view.runs = slice.runs;
    return slice.groups;
  }

  #answerOf(view: IndexView): string {
    const { total, counts, groups } = view.window!;
    const rows = view.runs.map((run) => run.text).join(',');
    return `{"ch":${JSON.stringify(view.ch)},"rows":[${rows}],"total":${total},"counts":${counts}${groups}}`;
  }

  /** Returns null if nothing differs. */
  #stepFrom(held: Window, view: IndexView): EncodedFrame | null {
    const { versions, total, counts, groups } = view.window!;
    const rows: string[] = [];
    for (const run of view.runs) if (held.versions.get(run.key) !== run.version) rows.push(run.text);
    const gone: string[] = [];
    for (const key of held.versions.keys()) if (!versions.has(key)) gone.push(key);
    const isToldOf = held.total === total && held.counts === counts && held.groups === groups;
    if (rows.length + gone.length === 0 && isToldOf) return null;
    return encoded(
      `{"ch":${JSON.stringify(view.ch)},"rows":[${rows.join(',')}],"gone":${JSON.stringify(gone)},` +
        `"total":${total},"counts":${counts}${groups}}`,
    );
  }

  /** Sets the timer for the next look: soon if something happened, else when time will change something. */
  #schedule(): void {
    const runs = this.#runs;
    if (runs === null) return;
    const nowMs = this.#clock.now();
    // If the clock was set back, no look is further away than one interval.
    const soonestMs = Math.min(this.#lookedAtMs, nowMs) + INDEX_INTERVAL_MS;
    const atMs = runs.isTouched ? soonestMs : Math.max(soonestMs, this.#changesAtMs(runs));
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.dispose();
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, atMs - nowMs), WAIT_MS_MAX);
    const cancel = this.#clock.after(delayMs, () => {
      this.#timer = null;
      this.#look();
    });
    this.#timer = { atMs: nowMs + delayMs, cancel };
  }

  /** A rate falls until it is 0, some 20 s after the last event. */
  #changesAtMs(runs: IndexedRuns): number {
    for (const view of this.#views.values()) {
      if (view.runs.some((run) => run.rate > 0)) return Number.NEGATIVE_INFINITY;
    }
    return runs.changesAtMs;
  }
}

function obtain<Key, Shared extends { users: number }>(
  from: Map<Key, Shared>,
  key: Key,
  make: () => Shared,
): Shared {
  let shared = from.get(key);
  if (shared === undefined) {
    shared = make();
    from.set(key, shared);
  }
  shared.users += 1;
  return shared;
}

function release<Key, Shared extends { users: number }>(from: Map<Key, Shared>, used: Shared): void {
  used.users -= 1;
  if (used.users > 0) return;
  for (const [key, shared] of from) if (shared === used) from.delete(key);
}
