import { batch, computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { IndexView } from '@runlog/client/index-channel';
import type { ChannelRefusal } from '@runlog/client/run-update';
import { STREAM_INDEX_ROWS_MAX, WHERE_CONDITIONS_MAX } from '@runlog/schema/limits';
import type { RunSort } from '@runlog/schema/run/snapshot';
import type { StateCounts } from '@runlog/schema/stream/server-frames';
import type { Grouping } from '../shell/address.ts';
import type { Connection } from '../shell/connection.ts';
import { route, setOptions } from '../shell/route.ts';
import { groupFields, sortOf } from './fleet-columns.ts';
import { type FleetFilter, MISSING, parseFleetFilter, wantsMissing } from './fleet-filter.ts';
import { type FleetRows, HeldOrder } from './held-order.ts';
import { followViews } from './view-follower.ts';

/** Whoever types faster than this writes the address once. */
const ADDRESS_PAUSE_MS = 250;
/** The least rows that are asked for, and so many times those that are drawn: a turn of the wheel finds its rows there. */
const ROWS_ASKED_MIN = 100;
const ROWS_ASKED_TIMES = 2.5;
const OFFSET_STEP = 10;
/** Rows are asked for before these many are all that is left. */
const AHEAD = 12;

/** Three globs that match every run: a client follows each by one view at a time. */
const globs = { rows: '*', fleet: '**', missing: '***' } as const;

/** Numbers of runs that the filter lets through but for the states that it names. Null until they are known. */
export interface FleetCounts {
  readonly all: number;
  readonly states: Partial<StateCounts>;
  readonly missing: number | null;
}

/** The table of runs: what is asked for, and what of it is drawn. */
export interface FleetStore extends Disposable {
  readonly typed: ReadonlySignal<string>;
  readonly fault: ReadonlySignal<string | null>;
  readonly filter: ReadonlySignal<FleetFilter>;
  readonly sort: ReadonlySignal<RunSort>;
  readonly by: ReadonlySignal<Grouping | null>;
  /** Differs when other runs or another order are asked for. */
  readonly view: ReadonlySignal<string>;
  readonly rows: ReadonlySignal<FleetRows | null>;
  /** The number of runs that match now, whatever is drawn. */
  readonly total: ReadonlySignal<number | null>;
  readonly counts: ReadonlySignal<FleetCounts | null>;
  /** Why the gateway does not show what is asked for; null if it does, or has not answered. */
  readonly refusal: ReadonlySignal<string | null>;
  /** All runs, whatever the filter. */
  readonly fleet: ReadonlySignal<{ readonly total: number; readonly failed: number } | null>;
  readonly isHeld: ReadonlySignal<boolean>;
  /** The number of rows in view. */
  readonly inView: ReadonlySignal<number>;
  setTyped(text: string): void;
  /** Writes what was typed to the address without waiting. */
  flush(): void;
  /** Is told which positions are in view. */
  show(positions: { readonly from: number; readonly to: number }): void;
  /** Holds the order while the pointer or the focus is there. */
  hold(by: 'pointer' | 'focus', isThere: boolean): void;
  /** Lets the rows that wait go to their places. */
  release(): void;
}

type AskedView = IndexView & { readonly offset: number; readonly limit: number };

export function createFleetStore({
  client,
  noteRefusal,
}: Pick<Connection, 'client' | 'noteRefusal'>): FleetStore {
  const address = computed(() => (route.value.view === 'fleet' ? route.value : null));
  const input = typedIn(address);
  const parsed = computed(() => parseFleetFilter(input.typed.value));
  /** While the filter has a fault, what it was before stays. */
  const filter = signal(parsed.peek().filter);
  const sort = computed(() => sortOf(address.value?.sort ?? null));
  const by = computed(() => address.value?.by ?? null);
  const asked = computed(() => ({
    ...optionsOf(filter.value),
    ...(filter.value.states.length === 0 ? {} : { status: [...filter.value.states] }),
    sort: sort.value,
    ...(by.value === null ? {} : { group_by: groupFields[by.value] }),
  }));
  const view = computed(() => JSON.stringify(asked.value));
  const place = signal({ view: view.peek(), offset: 0, limit: ROWS_ASKED_MIN });

  const order = new HeldOrder();
  const rows = signal<FleetRows | null>(null);
  const live = signal<{ total: number; counts: Partial<StateCounts> } | null>(null);
  const fleet = signal<{ total: number; failed: number } | null>(null);
  const missing = signal<number | null>(null);
  const inView = signal(0);
  const holders = signal({ pointer: false, focus: false });
  const isHeld = computed(() => holders.value.pointer || holders.value.focus);

  const refusal = signal<string | null>(null);
  const onRefused = ({ code }: ChannelRefusal) => noteRefusal(code);
  const followed = {
    rows: followViews<AskedView>({
      ...{ client, glob: globs.rows },
      onRefused({ code, message }) {
        noteRefusal(code);
        refusal.value = message;
      },
      onUpdate({ total, counts, groups, rows: received }, { offset, limit, ...rest }) {
        batch(() => {
          refusal.value = null;
          live.value = { total, counts };
          // Judged by what was asked: the filter may have changed since.
          if (isOfAll(rest)) fleet.value = { total: sumOf(counts), failed: counts.failed ?? 0 };
          rows.value = order.receive(
            { view: JSON.stringify(rest), offset, rows: received, total, groups },
            isHeld.peek(),
          );
        });
      },
    }),
    fleet: followViews<IndexView>({
      ...{ client, glob: globs.fleet, onRefused },
      onUpdate({ total, counts }) {
        fleet.value = { total, failed: counts.failed ?? 0 };
      },
    }),
    missing: followViews<IndexView>({
      ...{ client, glob: globs.missing, onRefused },
      onUpdate({ total }) {
        missing.value = total;
      },
    }),
  };
  const isWhole = computed(() => Object.keys(optionsOf(filter.value)).length === 0);
  const ends = [
    effect(() => {
      const { filter: next, fault } = parsed.value;
      if (fault === null && JSON.stringify(next) !== JSON.stringify(filter.peek())) filter.value = next;
    }),
    effect(() => {
      const { offset, limit } = placeIn(place.value, view.value);
      followed.rows.ask({ ...asked.value, offset, limit });
    }),
    effect(() => followed.fleet.ask(isWhole.value ? null : { limit: 1 })),
    effect(() => followed.missing.ask(missingView(filter.value))),
  ];

  return {
    ...{ typed: input.typed, filter, sort, by, view, rows, refusal, fleet, isHeld, inView },
    fault: computed(() => parsed.value.fault),
    total: computed(() => live.value?.total ?? null),
    counts: computed(() => {
      if (live.value === null) return null;
      const { counts } = live.value;
      const all = sumOf(counts);
      return { all, states: counts, missing: missing.value };
    }),
    setTyped: input.set,
    flush: input.flush,
    show({ from, to }) {
      inView.value = to - from;
      const held = placeIn(place.peek(), view.peek());
      const limit = limitFor(to - from);
      const isWithin = from - AHEAD >= held.offset || held.offset === 0;
      if (limit === held.limit && isWithin && to + AHEAD <= held.offset + limit) return;
      const middle = (from + to - limit) / 2;
      const offset = Math.max(0, Math.floor(middle / OFFSET_STEP) * OFFSET_STEP);
      if (offset !== held.offset || limit !== held.limit) place.value = { view: view.peek(), offset, limit };
    },
    hold(holder, isThere) {
      const wasHeld = isHeld.peek();
      if (holders.peek()[holder] === isThere) return;
      batch(() => {
        holders.value = { ...holders.peek(), [holder]: isThere };
        if (wasHeld && !isHeld.peek()) rows.value = order.release();
      });
    },
    release() {
      rows.value = order.release();
    },
    [Symbol.dispose]() {
      input[Symbol.dispose]();
      for (const end of ends) end();
      for (const each of Object.values(followed)) each[Symbol.dispose]();
    },
  };
}

/** The text in the filter box. The address follows it after a pause, and it follows the address when that goes elsewhere. */
function typedIn(address: ReadonlySignal<{ readonly q: string } | null>) {
  const typed = signal(address.peek()?.q ?? '');
  let written = typed.peek();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    written = typed.peek();
    setOptions('fleet', { q: written });
  };
  const end = effect(() => {
    const q = address.value?.q;
    if (q === undefined || q === written) return;
    clearTimeout(timer);
    written = q;
    typed.value = q;
  });
  return {
    typed,
    flush,
    set(text: string) {
      typed.value = text;
      clearTimeout(timer);
      timer = setTimeout(flush, ADDRESS_PAUSE_MS);
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      end();
    },
  };
}

/** What the server is asked for but for the states. */
function optionsOf({
  q,
  cluster,
  task,
  where,
}: FleetFilter): Pick<IndexView, 'q' | 'cluster' | 'task' | 'where'> {
  return {
    ...(q === '' ? {} : { q }),
    ...(cluster === null ? {} : { cluster }),
    ...(task === null ? {} : { task }),
    ...(where.length === 0 ? {} : { where: [...where] }),
  };
}

/** Whether a view's counts are those of all runs. */
function isOfAll({ q, cluster, task, where }: IndexView): boolean {
  return [q, cluster, task, where].every((part) => part === undefined);
}

const sumOf = (counts: Partial<StateCounts>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** The view whose total is the number of runs that miss events; null if the filter has no room for that condition. */
function missingView(filter: FleetFilter): IndexView | null {
  const { where } = filter;
  if (!wantsMissing(filter) && where.length >= WHERE_CONDITIONS_MAX) return null;
  const all = wantsMissing(filter) ? where : [...where, MISSING];
  return { ...optionsOf({ ...filter, where: all }), limit: 1 };
}

/** Where another view begins: at its top. */
function placeIn(place: { view: string; offset: number; limit: number }, view: string) {
  return place.view === view ? place : { ...place, view, offset: 0 };
}

function limitFor(drawn: number): number {
  const wanted = Math.ceil((drawn * ROWS_ASKED_TIMES) / ROWS_ASKED_MIN) * ROWS_ASKED_MIN;
  return Math.min(STREAM_INDEX_ROWS_MAX, Math.max(ROWS_ASKED_MIN, wanted));
}
