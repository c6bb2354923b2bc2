import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import type { ReadonlyRunStates } from '@runlog/run-feed/run-states';
import type { History } from './history.ts';
import type { PastStates } from './past-states.ts';

/** The runs that the routes read, while the gateway has caught up with the log. */
export interface RunsAtHand {
  readonly states: ReadonlyRunStates;
  readonly figures: ReadonlyFigureStates;
  readonly history: Pick<History, 'page'> | null;
  readonly pastStates: Pick<PastStates, 'at' | 'whole'> | null;
}
