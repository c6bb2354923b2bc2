import { counted, countText } from '../text/numbers.ts';

/** How many events of a run the log shows, and where the others are; the latter is empty if all are there. */
export function shownOfAll(log: {
  readonly shown: number;
  readonly total: number;
  /** Whether events are left out because they do not match. */
  readonly isFiltered: boolean;
  /** Whether what comes next has to wait for events that were left out. */
  readonly isCatchingUp: boolean;
}): { counts: string; hint: string } {
  // What is shown of the past and what is counted there do not come at the same time.
  const shown = Math.min(log.shown, log.total);
  const hint = log.isCatchingUp
    ? 'fetching what was left out …'
    : shown < log.total && !log.isFiltered
      ? 'scroll up for the rest'
      : '';
  return { counts: `${countText(shown)} of ${counted(log.total, 'event')}`, hint };
}
