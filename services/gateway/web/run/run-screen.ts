import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { EventsPage, RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { formatFilter, noFilter } from '../log/log-filter.ts';
import { createLogStore, type LogStore } from '../log/log-store.ts';
import type { Connection } from '../shell/connection.ts';
import { goTo, route, setOptions } from '../shell/route.ts';
import type { LifePlace } from '../side/lanes.tsx';
import type { SeedEvent } from '../side/seed-events.ts';
import { createSeedHistory, type SeedHistory, type SeedHistoryState } from '../side/seed-history.ts';
import { createSharedCursor, type SharedCursor } from '../side/shared-cursor.ts';
import { type RunAxis, runAxisOf } from '../strip/run-axis.ts';
import { createTravel, type Travel } from '../travel/travel.ts';
import { figuresThrough } from './cut-figures.ts';
import type { FollowedRun } from './followed-run.ts';
import { counterpartOf } from './other-run.ts';

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
  /** The run beside it that the address names (`b=`), and the other group of this run, if there is one. */
  readonly beside: ReadonlySignal<{ readonly named: string | null; readonly counterpart: string | null }>;
  /** The newest values of the accuracy, oldest first. */
  readonly accuracies: ReadonlySignal<readonly number[]>;
  readonly cursor: SharedCursor;
  /** The seq of the selected event (`event=`). */
  readonly selected: ReadonlySignal<number | null>;
  select(seq: number | null): void;
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
  const unlisten = followSeeds(run, { connection, history });
  const allSeeds = computed(() => history.value?.events.value ?? []);
  const at = computed(() => (route.value.view === 'run' ? route.value.at : null));
  const axis = computed(() => axisOf(run, allSeeds.value));
  const seeds = computed(() => {
    const seq = at.value;
    return seq === null ? allSeeds.value : allSeeds.value.filter((seed) => seed.seq <= seq);
  });
  const figures = computed(() => {
    const held = run.figures().value;
    const seq = at.value;
    if (held === null || seq === null) return held;
    return axis.value === null ? null : figuresThrough(held, { axis: axis.value, seq });
  });
  const travelTo = (seq: number | null) => {
    const address = route.peek();
    if (address.view !== 'run') return;
    // To leave the present, and to come back to it, is a step of its own; moving about in the past is not.
    if ((address.at === null) === (seq === null)) setOptions('run', { at: seq });
    else goTo({ ...address, at: seq });
  };
  const travel = createTravel({ key: run.key, at, log, connection, onPresent: () => travelTo(null) });
  const counterpart = signal<string | null>(null);
  const stop = new AbortController();
  void findCounterpart(run.key, { connection, signal: stop.signal }).then((key) => {
    counterpart.value = key;
  });
  return {
    ...{ run, at, axis, seeds, allSeeds, log, timeline: run.timeline },
    travel,
    shown: computed(() => (at.value === null ? run.snapshot.value : travel.past.value)),
    beside: computed(() => ({
      named: route.value.view === 'run' ? route.value.b : null,
      counterpart: counterpart.value,
    })),
    accuracies: computed(() => accuraciesOf(figures.value)),
    seedHistory: computed(() => history.value?.state.value ?? 'loading'),
    retrySeedHistory: () => history.peek()?.retry(),
    figures: () => figures,
    cursor: createSharedCursor(),
    selected: computed(() => (route.value.view === 'run' ? route.value.event : null)),
    select: (seq) => setOptions('run', { event: seq }),
    travelTo,
    showLife({ env, slot, toSeq }) {
      const envs = env === null ? [] : [env];
      log.setFilter(formatFilter({ ...noFilter, envs, slots: slot === '' ? [] : [slot] }));
      log.goTo(toSeq);
    },
    [Symbol.dispose]() {
      stop.abort();
      travel[Symbol.dispose]();
      unlisten();
      history.peek()?.dispose();
      log[Symbol.dispose]();
    },
  };
}

async function findCounterpart(
  key: string,
  { connection, signal }: { connection: Connection; signal: AbortSignal },
): Promise<string | null> {
  const other = counterpartOf(key);
  if (other === null) return null;
  const answer = await connection.ask(`v1/runs/${other}/proof`, { signal });
  return answer.kind === 'ok' ? other : null;
}

/** The figure that the header's accuracy is a value of. */
const ACCURACY = 'accuracy';

function accuraciesOf(figures: RunFigures | null): readonly number[] {
  const figure = figures?.figures.find(({ name }) => name === ACCURACY);
  return (figure?.last.slice(-2) ?? []).filter((value) => value !== null);
}

/** Keeps the history of the seeds, a new one for each beginning of the run. */
export function followSeeds(
  run: FollowedRun,
  { connection, history }: { connection: Connection; history: Signal<SeedHistory | null> },
): () => void {
  return run.onLog((update) => {
    if (update.kind === 'start') {
      history.peek()?.dispose();
      history.value = createSeedHistory({
        firstSeq: update.firstSeq,
        readEvents: async (query, signal) => {
          const answer = await connection.ask<EventsPage>(`v1/runs/${run.key}/events`, { query, signal });
          if (answer.kind !== 'ok') throw new Error('the history cannot be read');
          return answer.body;
        },
      });
    }
    if (update.kind === 'start' || update.kind === 'entries') history.peek()?.add(update.entries);
  });
}

/** The axis of a run as it is now; null until its timeline is there. */
export function axisOf(run: FollowedRun, seeds: readonly SeedEvent[]): RunAxis | null {
  const timeline = run.timeline.value;
  const snapshot = run.snapshot.value;
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
