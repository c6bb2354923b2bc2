import { computed, effect, type ReadonlySignal, signal, untracked } from '@preact/signals';
import type { IndexUpdate, IndexView } from '@runlog/client/index-channel';
import type { RunsPage } from '@runlog/schema/http/gateway-api';
import { runSortFields } from '@runlog/schema/run/run-sorting';
import type { RunGroup, RunGroupField, RunSort } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';
import { type FleetAddress, fleetAddress, type Grouping } from '../shell/address.ts';
import type { Connection } from '../shell/connection.ts';
import { route, setOptions } from '../shell/route.ts';
import { runsTotal } from '../shell/top-bar-facts.ts';
import { indexViewOf, type ParsedFleetFilter, parseFleetFilter } from './fleet-filter.ts';
import { FleetItems } from './fleet-items.ts';
import { HeldOrder, type RowsFrom } from './held-order.ts';

/** The rows that are asked for around those in view. */
const WINDOW_ROWS = 300;
/** The window moves in such steps, so that a little scrolling does not move it. */
const WINDOW_STEP = 100;
/** Whoever types for longer than this without a pause does not fill the history of the browser. */
const ADDRESS_PAUSE_MS = 250;
/** How often it is asked how many runs miss events: the index does not count them. */
const MISSING_EVERY_MS = 10_000;
const MISSING = 'missing>0';

/** What the table shows. */
export interface ShownRuns extends RowsFrom {
  readonly total: number;
  readonly counts: Partial<StateCounts>;
  readonly groups: readonly RunGroup[];
  /** How many lines will show another run once the order is let go. */
  readonly moved: number;
}

/** The table of runs, of which the server sends the part in view. */
export interface FleetStore extends Disposable {
  /** Null until the first answer. */
  readonly shown: ReadonlySignal<ShownRuns | null>;
  readonly items: ReadonlySignal<FleetItems>;
  readonly typed: ReadonlySignal<string>;
  readonly filter: ReadonlySignal<ParsedFleetFilter>;
  /** How many runs of those that the rest of the filter finds miss events; null until that is known. */
  readonly missing: ReadonlySignal<number | null>;
  readonly sort: ReadonlySignal<RunSort>;
  readonly by: ReadonlySignal<Grouping | null>;
  type(text: string): void;
  /** The runs in view, by their indexes in the server's order. */
  view(first: number, last: number): void;
  /** Holds the order of the rows while somebody points at them. */
  hold(isHeld: boolean): void;
  /** Shows the newest order now. */
  release(): void;
}

const groupFields: Readonly<Record<Grouping, RunGroupField>> = {
  cluster: 'cluster_id',
  task: 'task_name',
  state: 'state',
};

const otherAddress = fleetAddress();

export function createFleetStore(connection: Connection): FleetStore {
  const address = computed((): FleetAddress => (route.value.view === 'fleet' ? route.value : otherAddress));
  const typed = signal(address.peek().q);
  const filter = computed(() => parseFleetFilter(typed.value));
  const sort = computed(() => sortOf(address.value.sort));
  const by = computed(() => address.value.by);
  const offset = signal(0);
  const shown = signal<ShownRuns | null>(null);
  const missing = signal<number | null>(null);
  const order = new HeldOrder();
  let newest: IndexUpdate | null = null;
  /** Runs while what was typed is not in the address yet. */
  let timer: ReturnType<typeof setTimeout> | null = null;

  /** The view that was valid last: a filter with a fault finds what the one before it found. */
  let asked: IndexView = {};
  const wanted = computed((): IndexView => {
    if (filter.value.kind === 'filter') asked = indexViewOf(filter.value.filter);
    return {
      ...asked,
      sort: sort.value,
      ...(by.value !== null && { group_by: groupFields[by.value] }),
      ...{ limit: WINDOW_ROWS, offset: offset.value },
    };
  });

  const publish = () => {
    if (newest === null) return;
    const { total, counts, groups } = newest;
    shown.value = { ...order.shown, total, counts, groups, moved: order.moved };
  };
  const unfollow = followIndex(connection, {
    wanted,
    take(update, view) {
      newest = update;
      order.take({ offset: view.offset ?? 0, rows: update.rows });
      if (isEverything(view)) runsTotal.value = update.total;
      publish();
    },
  });
  const uncount = countMissing(connection, { wanted, missing });
  const unsync = effect(() => {
    const { q } = address.value;
    untracked(() => {
      if (timer === null) typed.value = q;
    });
  });
  const unscroll = effect(() => {
    void [filter.value, sort.value, by.value];
    offset.value = 0;
  });

  return {
    ...{ shown, typed, filter, missing, sort, by },
    items: computed(() => new FleetItems(shown.value ?? { total: 0, groups: [] })),
    type(text) {
      typed.value = text;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => {
        timer = null;
        setOptions('fleet', { q: typed.peek() });
      }, ADDRESS_PAUSE_MS);
    },
    view(first, last) {
      const from = offset.peek();
      if (first >= from && last < from + WINDOW_ROWS) return;
      const middle = first - (WINDOW_ROWS - (last - first)) / 2;
      offset.value = Math.max(0, Math.floor(middle / WINDOW_STEP) * WINDOW_STEP);
    },
    hold(isHeld) {
      order.hold(isHeld);
      publish();
    },
    release() {
      order.release();
      publish();
    },
    [Symbol.dispose]() {
      if (timer !== null) clearTimeout(timer);
      for (const end of [unfollow, uncount, unsync, unscroll]) end();
    },
  };
}

/** Follows the view that is wanted. While one is not answered yet, the next one waits, so typing fills no queue. */
function followIndex(
  { client, noteRefusal }: Connection,
  { wanted, take }: { wanted: ReadonlySignal<IndexView>; take(update: IndexUpdate, view: IndexView): void },
): () => void {
  let unsubscribe: (() => void) | null = null;
  let isWaiting = false;
  let isOver = false;
  function ask(): void {
    if (isWaiting || isOver) return;
    unsubscribe?.();
    const view = wanted.peek();
    isWaiting = true;
    unsubscribe = client.subscribeIndex(
      '*',
      (update) => {
        if (isOver) return;
        isWaiting = false;
        if (update.kind === 'refused') noteRefusal(update.code);
        else take(update, view);
        if (JSON.stringify(wanted.peek()) !== JSON.stringify(view)) queueMicrotask(ask);
      },
      view,
    );
  }
  const unwatch = effect(() => {
    void wanted.value;
    untracked(ask);
  });
  return () => {
    isOver = true;
    unwatch();
    unsubscribe?.();
  };
}

/** Asks now and then, and when the filter changes, how many of the runs miss events. */
function countMissing(
  connection: Connection,
  { wanted, missing }: { wanted: ReadonlySignal<IndexView>; missing: { value: number | null } },
): () => void {
  const query = computed(() => {
    const { q, cluster, task, where = [] } = wanted.value;
    const conditions = [...new Set([...(where ?? []), MISSING])];
    return JSON.stringify({ q, cluster, task, where: conditions, limit: 1 });
  });
  let stop = new AbortController();
  const ask = async () => {
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    if (connection.link.peek().state !== 'open') return;
    const answer = await connection.ask<RunsPage>('v1/runs', { query: JSON.parse(query.peek()), signal });
    if (!signal.aborted && answer.kind === 'ok') missing.value = answer.body.total;
  };
  const timer = setInterval(ask, MISSING_EVERY_MS);
  const unwatch = effect(() => {
    void [query.value, connection.link.value.state];
    untracked(ask);
  });
  return () => {
    clearInterval(timer);
    unwatch();
    stop.abort();
  };
}

/** The order of the table itself: failed, lost contact, quiet, running, finished. */
const OWN_ORDER: RunSort = 'state';

function sortOf(text: string | null): RunSort {
  const field = runSortFields.find((each) => each === text || `-${each}` === text);
  return field === undefined ? OWN_ORDER : (text as RunSort);
}

function isEverything({ q, cluster, task, where, status }: IndexView): boolean {
  return [q, cluster, task, where, status].every((part) => part === undefined);
}
