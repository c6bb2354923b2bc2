import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { instantOf } from '@runlog/schema/events/instant';
import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { formatFilter, noFilter } from '../log/log-filter.ts';
import type { LogRow } from '../log/log-row.ts';
import { createLogStore, type LogStore } from '../log/log-store.ts';
import type { Pane } from '../shell/address.ts';
import type { Connection } from '../shell/connection.ts';
import { goTo, route, setOptions } from '../shell/route.ts';
import { followSeeds } from '../side/follow-seeds.ts';
import type { LifePlace } from '../side/lanes.tsx';
import type { SeedEvent } from '../side/seed-events.ts';
import type { SeedHistory, SeedHistoryState } from '../side/seed-history.ts';
import { createSharedCursor, type SharedCursor } from '../side/shared-cursor.ts';
import type { KnownGap } from '../strip/gap-places.ts';
import { type RunAxis, runAxisOf } from '../strip/run-axis.ts';
import { createTravel, type Travel } from '../travel/travel.ts';
import { atMostEach } from './at-most-each.ts';
import { figuresThrough } from './cut-figures.ts';
import type { FollowedRun } from './followed-run.ts';
import { groupsOf } from './other-run.ts';

/** What the parts of one run's view share. */
export interface RunScreen extends Disposable {
  /** The run as it is now, also while it is shown as of an event. */
  readonly run: FollowedRun;
  /** The state that is shown: live, or as of `at`. */
  readonly shown: ReadonlySignal<DeliveredSnapshot | null>;
  /** The seq of the event as of which the run is shown (`at=`); null: live. */
  readonly at: ReadonlySignal<number | null>;
  readonly timeline: ReadonlySignal<RunTimeline | null>;
  /** Strip, charts and lanes share it; null until the timeline is there. */
  readonly axis: ReadonlySignal<RunAxis | null>;
  /** Those that came until `at`. */
  readonly seeds: ReadonlySignal<readonly SeedEvent[]>;
  /** Those of the whole run, for the strip. */
  readonly allSeeds: ReadonlySignal<readonly SeedEvent[]>;
  readonly seedHistory: ReadonlySignal<SeedHistoryState>;
  retrySeedHistory(): void;
  /** Those of the run until `at`, subscribed to when somebody reads them. */
  figures(): ReadonlySignal<RunFigures | null>;
  readonly travel: Travel;
  /** The emitters, as of when the axis was made. */
  readonly emitters: ReadonlySignal<DeliveredSnapshot['emitters'] | undefined>;
  /** Where gaps lie, as far as the log knows it. */
  readonly knownGaps: ReadonlySignal<readonly KnownGap[]>;
  /** The run that the address names beside it (`b=`), and the keys of all groups of this run; empty until they are known. */
  readonly beside: ReadonlySignal<{ readonly named: string | null; readonly groups: readonly string[] }>;
  readonly cursor: SharedCursor;
  /** The seq of the selected event (`event=`). */
  readonly selected: ReadonlySignal<number | null>;
  select(seq: number | null): void;
  /** The pane of the address, or that of the event if there is no such event in the log, which the pane says. */
  readonly pane: ReadonlySignal<Pane | null>;
  readonly log: LogStore;
  /** Shows the run as of an event; null: live. */
  travelTo(seq: number | null): void;
  /** Shows the life of a seed in the log. */
  showLife(life: LifePlace): void;
}

/** Makes what the view of a followed run shares. The run itself is not disposed of with it. */
export function createRunScreen(run: FollowedRun, { connection }: { connection: Connection }): RunScreen {
  const log = createLogStore({ run, connection });
  const history = signal<SeedHistory | null>(null);
  const endSeeds = followSeeds(run, { connection, history });
  const allSeeds = computed(() => history.value?.events.value ?? []);
  const at = computed(() => (route.value.view === 'run' ? route.value.at : null));
  // Whoever draws the whole run draws it again when this changes, and a fast run changes with each frame.
  const whole = atMostEach(
    computed(() => wholeOf(run, allSeeds.value)),
    WHOLE_EVERY_MS,
    (held, next) => axisOfWhole(held) === null && axisOfWhole(next) !== null,
  );
  const axis = computed(() => axisOfWhole(whole.value.value));
  const knownGaps = computed(() => {
    void whole.value.value;
    return knownGapsIn(log.rows.peek());
  });
  const seeds = computed(() => {
    const seq = at.value;
    return seq === null ? allSeeds.value : allSeeds.value.filter((seed) => seed.seq <= seq);
  });
  const lastEventMs = computed(() => {
    const at = travel.past.value?.last_event_at ?? null;
    return at === null ? null : instantOf(at);
  });
  const figures = computed(() => {
    const held = run.figures().value;
    const seq = at.value;
    if (held === null || seq === null) return held;
    if (axis.value === null) return null;
    return figuresThrough(held, { axis: axis.value, seq, lastEventMs: lastEventMs.value });
  });
  const travelTo = (seq: number | null) => {
    const address = route.peek();
    if (address.view !== 'run') return;
    // To leave the present, and to come back to it, is a step of its own; moving about in the past is not.
    if ((address.at === null) === (seq === null)) setOptions('run', { at: seq });
    else goTo({ ...address, at: seq });
  };
  const newest = computed(() => run.snapshot.value?.position?.seq ?? null);
  const travel = createTravel({ key: run.key, at, newest, log, connection, onPresent: () => travelTo(null) });
  const selected = computed(() => (route.value.view === 'run' ? route.value.event : null));
  const unseen = signal<number | null>(null);
  const endUnseen = effect(() => {
    const seq = selected.value;
    const inView = log.inView.value;
    if (seq === null) return;
    const isBehind = newest.value !== null && seq > newest.value;
    const isPassedOver = inView !== null && inView.fromSeq < seq && inView.toSeq > seq;
    if (isBehind || (isPassedOver && log.entryOf(seq) === null)) unseen.value = seq;
  });
  const groups = signal<readonly string[]>([]);
  const endGroups = followGroups(run.key, { connection, groups });
  return {
    ...{ run, at, axis, seeds, allSeeds, log, timeline: run.timeline },
    ...{ travel, knownGaps },
    emitters: computed(() => whole.value.value.snapshot?.emitters),
    shown: computed(() => (at.value === null ? run.snapshot.value : travel.past.value)),
    beside: computed(() => ({
      named: route.value.view === 'run' ? route.value.b : null,
      groups: groups.value,
    })),
    seedHistory: computed(() => history.value?.state.value ?? 'loading'),
    retrySeedHistory: () => history.peek()?.retry(),
    figures: () => figures,
    cursor: createSharedCursor(),
    selected,
    pane: computed(() => {
      const named = route.value.view === 'run' ? route.value.pane : null;
      return named ?? (selected.value !== null && selected.value === unseen.value ? 'event' : null);
    }),
    select: (seq) => setOptions('run', { event: seq }),
    travelTo,
    showLife({ env, slot, toSeq }) {
      const envs = env === null ? [] : [env];
      log.setFilter(formatFilter({ ...noFilter, envs, slots: slot === '' ? [] : [slot] }));
      log.goTo(toSeq);
    },
    [Symbol.dispose]() {
      endGroups();
      endUnseen();
      whole.end();
      travel[Symbol.dispose]();
      endSeeds();
      log[Symbol.dispose]();
    },
  };
}

/** How often a group that has begun since is noticed. */
const GROUPS_EVERY_MS = 60_000;

function followGroups(
  key: string,
  { connection, groups }: { connection: Connection; groups: Signal<readonly string[]> },
): () => void {
  const stop = new AbortController();
  const look = async () => {
    const found = await groupsOf(key, { connection, signal: stop.signal });
    if (stop.signal.aborted || found === null || found.join() === groups.peek().join()) return;
    groups.value = found;
  };
  void look();
  const timer = setInterval(() => {
    if (connection.link.peek().state === 'open') void look();
  }, GROUPS_EVERY_MS);
  return () => {
    stop.abort();
    clearInterval(timer);
  };
}

interface Whole {
  readonly timeline: RunTimeline | null;
  readonly snapshot: DeliveredSnapshot | null;
  readonly seeds: readonly SeedEvent[];
}

const WHOLE_EVERY_MS = 1_000;

function wholeOf(run: FollowedRun, seeds: readonly SeedEvent[]): Whole {
  return { timeline: run.timeline.value, snapshot: run.snapshot.value, seeds };
}

/** The axis of a run as it is now; null until its timeline is there. */
export function axisOf(run: FollowedRun, seeds: readonly SeedEvent[]): RunAxis | null {
  return axisOfWhole(wholeOf(run, seeds));
}

function axisOfWhole({ timeline, snapshot, seeds }: Whole): RunAxis | null {
  if (timeline === null || snapshot === null || snapshot.position === null) return null;
  return runAxisOf({
    timeline,
    anchors: seeds,
    head: {
      seq: snapshot.position.seq,
      receivedAtMs: Date.parse(snapshot.last_received_at),
      ...(snapshot.last_event_at === null ? {} : { occurredAtMs: Date.parse(snapshot.last_event_at) }),
      events: snapshot.total_events_received - snapshot.duplicates,
    },
  });
}

/** A row of the log says behind which event a gap opened; the event that opened it is the next one. */
function knownGapsIn(rows: readonly LogRow[]): readonly KnownGap[] {
  return rows.flatMap((row) =>
    row.kind === 'gap' && row.emitterId !== null
      ? [{ emitter_id: row.emitterId, from: row.from, fromSeq: row.after, toSeq: row.after + 1 }]
      : [],
  );
}
