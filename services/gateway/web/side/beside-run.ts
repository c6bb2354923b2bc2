import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { type FollowedRun, followRun } from '../run/followed-run.ts';
import { axisOf } from '../run/run-screen.ts';
import type { Connection } from '../shell/connection.ts';
import type { RunAxis } from '../strip/run-axis.ts';
import { followSeeds } from './follow-seeds.ts';
import type { SeedEvent } from './seed-events.ts';
import type { SeedHistory, SeedHistoryState } from './seed-history.ts';

/** The run beside the one that is shown: what of it is drawn. It is always live. */
export interface BesideRun extends Disposable {
  readonly run: FollowedRun;
  readonly axis: ReadonlySignal<RunAxis | null>;
  readonly seeds: ReadonlySignal<readonly SeedEvent[]>;
  readonly seedHistory: ReadonlySignal<SeedHistoryState>;
  retrySeedHistory(): void;
}

/** Follows a run until it is disposed of. */
export function followBeside(key: string, { connection }: { connection: Connection }): BesideRun {
  const run = followRun(key, { connection });
  const history = signal<SeedHistory | null>(null);
  const endSeeds = followSeeds(run, { connection, history });
  const seeds = computed(() => history.value?.events.value ?? []);
  return {
    ...{ run, seeds },
    axis: computed(() => axisOf(run, seeds.value)),
    seedHistory: computed(() => history.value?.state.value ?? 'loading'),
    retrySeedHistory: () => history.peek()?.retry(),
    [Symbol.dispose]() {
      endSeeds();
      run[Symbol.dispose]();
    },
  };
}
