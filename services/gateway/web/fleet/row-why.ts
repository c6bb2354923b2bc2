import type { RunRow } from '@runlog/schema/run/snapshot';
import type { Evidence } from '../run/evidence.ts';
import { agoText } from '../text/ages.ts';
import { visibleText } from '../text/visible-text.ts';

/** What stands beside a run's state. */
export interface RowWhy {
  readonly text: string;
  /** All that is known, for a pointer and for screen readers. */
  readonly title: string;
  /** Whether it is the reason of a failure. */
  readonly isReason: boolean;
}

/** Says why a run failed, or what its state is judged by. */
export function whyOf(
  row: Pick<RunRow, 'end' | 'last_received_at'>,
  evidence: Evidence,
  nowMs: number | null,
): RowWhy {
  const { state, word, detail } = evidence;
  const title = `${word}${detail === '' ? '' : `: ${detail}`}`;
  const reason = row.end?.reason ?? null;
  if (state === 'failed') {
    if (reason === null) return { text: joined(detail, 'no reason given'), title, isReason: false };
    return { text: visibleText(reason), title: joined(visibleText(reason), title), isReason: true };
  }
  if (state === 'unknown')
    return { text: joined(word.replace(/^unknown ?/, ''), detail), title, isReason: false };
  if (state === 'running' && nowMs !== null)
    return { text: agoText(Math.max(0, nowMs - Date.parse(row.last_received_at))), title, isReason: false };
  return { text: detail, title, isReason: false };
}

const joined = (...parts: readonly string[]) => parts.filter((text) => text !== '').join(' · ');
