import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { EventsPage, RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { formatFilter, noFilter } from '../log/log-filter.ts';
import { createLogStore, type LogStore } from '../log/log-store.ts';
import type { Connection } from '../shell/connection.ts';
import { route, setOptions } from '../shell/route.ts';
import type { LifePlace } from '../side/lanes.tsx';
import type { SeedEvent } from '../side/seed-events.ts';
import { createSeedHistory, type SeedHistory, type SeedHistoryState } from '../side/seed-history.ts';
import { createSharedCursor, type SharedCursor } from '../side/shared-cursor.ts';
import { type RunAxis, runAxisOf } from '../strip/run-axis.ts';
import type { FollowedRun } from './followed-run.ts';

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
  readonly seeds: ReadonlySignal<readonly SeedEvent[]>;
  readonly seedHistory: ReadonlySignal<SeedHistoryState>;
  retrySeedHistory(): void;
  /** Subscribed to from the first call on. */
  figures(): ReadonlySignal<RunFigures | null>;
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
  const seeds = computed(() => history.value?.events.value ?? []);
  const at = computed(() => (route.value.view === 'run' ? route.value.at : null));
  const past = signal<DeliveredSnapshot | null>(null);
  const axis = computed(() => axisOf(run, seeds.value));
  const stopTravel = effect(() => {
    const seq = at.value;
    return untracked(() => {
      past.value = null;
      if (seq === null) {
        log.showLive();
        return undefined;
      }
      log.showAsOf(seq);
      const stop = new AbortController();
      void connection
        .ask<DeliveredSnapshot>(`v1/runs/${run.key}`, { query: { at: seq }, signal: stop.signal })
        .then((answer) => {
          if (answer.kind === 'ok' && !stop.signal.aborted) past.value = answer.body;
        });
      return () => stop.abort();
    });
  });
  return {
    ...{ run, at, axis, seeds, log, timeline: run.timeline },
    shown: computed(() => (at.value === null ? run.snapshot.value : past.value)),
    seedHistory: computed(() => history.value?.state.value ?? 'loading'),
    retrySeedHistory: () => history.peek()?.retry(),
    figures: () => run.figures(),
    cursor: createSharedCursor(),
    selected: computed(() => (route.value.view === 'run' ? route.value.event : null)),
    select: (seq) => setOptions('run', { event: seq }),
    travelTo: (seq) => setOptions('run', { at: seq }),
    showLife({ env, slot, toSeq }) {
      const envs = env === null ? [] : [env];
      log.setFilter(formatFilter({ ...noFilter, envs, slots: slot === '' ? [] : [slot] }));
      log.goTo(toSeq);
    },
    [Symbol.dispose]() {
      stopTravel();
      unlisten();
      history.peek()?.dispose();
      log[Symbol.dispose]();
    },
  };
}

/** Keeps the history of the seeds, a new one for each beginning of the run. */
function followSeeds(
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

function axisOf(run: FollowedRun, seeds: readonly SeedEvent[]): RunAxis | null {
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
