import { stopwatchText } from '../text/ages.ts';
import { instantText } from '../text/dates.ts';
import { counted, countText } from '../text/numbers.ts';
import type { GapRow } from './gap-rows.ts';

/** A gap in words: what is missing, what that means, whether it may still come, and what to do. */
export interface GapExplained {
  readonly title: string;
  readonly facts: readonly (readonly [name: string, fact: string])[];
  readonly meaning: string;
  readonly outlook: string;
  readonly advice: string;
}

/** Explains a gap at a time of the server's clock; null while that is not known. */
export function explainGap(row: GapRow, nowMs: number | null): GapExplained {
  return row.cause === 'numbers' ? explainNumbers(row, nowMs) : explainStream(row);
}

function explainNumbers(row: GapRow, nowMs: number | null): GapExplained {
  const { emitterId, count, missing, state, sinceMs, asOfMs = nowMs } = row;
  const left = missing ?? count;
  return {
    title: left === null ? 'Missing events' : counted(left, 'missing event'),
    facts: [
      ['emitter', emitterId ?? 'unknown'],
      ['numbers', rangeText(row)],
      ['missing', manyText(left, count)],
      ['since', sinceText(sinceMs, state === 'waiting' ? asOfMs : null)],
      ['stands behind', `seq ${countText(row.after)}`],
    ],
    meaning:
      'An emitter numbers its events 1, 2, 3 … for each run. These numbers were skipped: it has made the events, and they are not in the log.',
    ...outlookOf(row),
  };
}

function outlookOf({ state }: GapRow): Pick<GapExplained, 'outlook' | 'advice'> {
  switch (state) {
    case 'waiting':
      return {
        outlook:
          'They may still come. An emitter sends again what was not acknowledged, and what comes late takes its number here.',
        advice:
          'Wait while the emitter runs. If it has ended, look in its output for requests that were refused, and import its file: what is there already is left out.',
      };
    case 'recovered':
      return {
        outlook: 'All of them have arrived. They stand in the log where they arrived, below this row.',
        advice: 'There is nothing to do.',
      };
    case 'not_coming':
      return {
        outlook: 'They are not waited for any more: the run has ended, or the gap is too old to be followed.',
        advice:
          'If the emitter has written a file of its events, import it: only what is missing is added. Otherwise figures of this run lack these events.',
      };
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

function explainStream(row: GapRow): GapExplained {
  const { missing, sinceMs, after, from, to } = row;
  return {
    title: missing === null ? 'Events left out here' : `${counted(missing, 'event')} left out here`,
    facts: [
      ['seq', from === to ? countText(from) : `${countText(from)}–${countText(to)}`],
      ['left out', missing === null ? 'not known how many' : countText(missing)],
      ['since', sinceText(sinceMs, null)],
      ['stands behind', `seq ${countText(after)}`],
    ],
    meaning:
      'This page was behind or away, and was not handed these events. The run has received them: the figures above count them.',
    ...streamOutlookOf(row),
  };
}

function streamOutlookOf({ reason, hasFailed }: GapRow): Pick<GapExplained, 'outlook' | 'advice'> {
  if (hasFailed === true) {
    return {
      outlook: 'They were asked for, and the history could not be read.',
      advice: 'Press “try again” in the row. After an outage of the gateway this page does so by itself.',
    };
  }
  switch (reason) {
    case 'history_gone':
    case 'no_such_run':
      return {
        outlook: 'The history no longer has them, so they cannot be shown.',
        advice: 'Keep events longer (RUNLOG_EVENT_RETENTION_HOURS) if this matters.',
      };
    case 'forbidden':
      return {
        outlook: 'The key of this page does not show the history of the run.',
        advice: 'Use a key that does.',
      };
    case 'not_supported':
      return {
        outlook: 'The gateway is older than this page and cannot be asked for them.',
        advice: 'Load the page again.',
      };
    default:
      return {
        outlook: 'They are fetched from the history once this place is in view.',
        advice: 'If the row stays, the history could not be read; scroll here again to have it tried again.',
      };
  }
}

function rangeText({ from, to }: GapRow): string {
  return from === to ? countText(from) : `${countText(from)}–${countText(to)}`;
}

function manyText(left: number | null, count: number | null): string {
  if (left === null) return 'not known how many';
  return count === null || count === left ? countText(left) : `${countText(left)} of ${countText(count)}`;
}

/** With `nowMs` also how long ago. */
function sinceText(sinceMs: number | null, nowMs: number | null): string {
  if (sinceMs === null) return 'before this page was opened';
  const age = nowMs === null ? '' : `, ${stopwatchText(nowMs - sinceMs)} ago`;
  return `${instantText(sinceMs)}${age}`;
}
