import type { Spent } from './workers/worker-messages.ts';

/** Tells other processes that serve the same publishers what was spent here, and is told what was spent there. */
export interface QuotaExchange {
  readonly spent: (spent: Spent) => void;
  readonly onSpentElsewhere: (listener: (spent: Spent) => void) => void;
}
