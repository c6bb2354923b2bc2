import { instantOf } from '@runlog/schema/events/instant';
import type { RunRow } from '@runlog/schema/run/snapshot';
import type { Evidence } from '../run/evidence.ts';
import { ageText } from '../text/ages.ts';
import { NO_NUMBER } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';

/** What stands beside a run's state. */
export interface RowWhy {
  /** How long ago its last event came or it ended, as short as a column needs it: `now`, `14 m`. */
  readonly age: string;
  /** Why it failed, or what its state is judged by. Empty if its age says enough. */
  readonly text: string;
  /** All that is known, for a pointer and for screen readers. */
  readonly title: string;
  /** Whether it is the reason of a failure. */
  readonly isReason: boolean;
}

type WhyFields = Pick<RunRow, 'end' | 'last_received_at' | 'interval_ms'>;

/** Says why a run failed, or what its state is judged by, and since when. */
export function whyOf(row: WhyFields, evidence: Evidence, nowMs: number | null): RowWhy {
  const { state, word, detail } = evidence;
  const told = `${word}${detail === '' ? '' : `: ${detail}`}`;
  const why = { age: ageOf(row, nowMs), title: told, isReason: false };
  switch (state) {
    case 'failed': {
      const reason = row.end?.reason ?? null;
      if (reason === null) return { ...why, text: 'no reason given' };
      const text = visibleText(reason);
      return { ...why, text, title: `${text} · ${told}`, isReason: true };
    }
    case 'unknown': {
      // What it was comes first, because since when is the same in each row.
      const text = [detail, word.replace(/^unknown ?/, '')].filter((part) => part !== '').join(' · ');
      return { ...why, age: NO_NUMBER, text };
    }
    case 'quiet':
      return { ...why, text: row.interval_ms === null ? '' : `usually every ${ageText(row.interval_ms)}` };
    case 'lost_contact':
      return { ...why, text: 'no heartbeat either' };
    default:
      return { ...why, text: '' };
  }
}

/** Below a second it is now: a figure that jumps in each row each second tells nothing. */
function ageOf({ end, last_received_at: last }: WhyFields, nowMs: number | null): string {
  const atMs = end === null ? Date.parse(last) : instantOf(end.at);
  if (nowMs === null || Number.isNaN(atMs)) return NO_NUMBER;
  const ageMs = nowMs - atMs;
  return ageMs < 950 ? 'now' : ageText(ageMs);
}
