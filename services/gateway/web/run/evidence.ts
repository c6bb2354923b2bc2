import { type ConditionEvidence, conditionOf } from '@runlog/run-state/run-condition';
import { instantOf } from '@runlog/schema/events/instant';
import type { RunState } from '@runlog/schema/run/snapshot';
import { ageText, agoText } from '../text/ages.ts';
import { momentText } from '../text/dates.ts';

/** A state as the page says it. `unknown`: the page cannot know; `waiting`: no event has come yet. */
export type ShownState = RunState | 'unknown' | 'waiting';

/** How a run stands, and what says so. */
export interface Evidence {
  readonly state: ShownState;
  /** The sign of the state, which tells the states apart without colour. */
  readonly glyph: string;
  /** `running`, `lost contact`, `unknown since 07:32`. */
  readonly word: string;
  /** What says so: `last event 0.4 s ago · usually every 0.3 s`. Empty if there is nothing to say. */
  readonly detail: string;
}

/** The words and signs of the states, everywhere on the page. */
export const stateWords: Readonly<Record<ShownState, string>> = {
  running: 'running',
  quiet: 'quiet',
  lost_contact: 'lost contact',
  finished: 'finished',
  failed: 'failed',
  unknown: 'unknown',
  waiting: 'waiting',
};
export const stateGlyphs: Readonly<Record<ShownState, string>> = {
  running: '●',
  quiet: '○',
  lost_contact: '◌',
  finished: '✓',
  failed: '✗',
  unknown: '?',
  waiting: '…',
};

/** The fields of a snapshot or of a row that a run is judged by. A row has no `counts`, but the server's `state`. */
export type EvidenceFields = Omit<ConditionEvidence, 'counts'> &
  Partial<Pick<ConditionEvidence, 'counts'>> & { readonly state: RunState };

/** Judges a run by the server's time, as the server does. */
export function evidenceOf(
  run: EvidenceFields,
  at: {
    /** The server's time in milliseconds; null until it is known. */
    readonly nowMs: number | null;
    /** Since when nothing that is shown is known to hold; null while it is known. */
    readonly unknownSinceMs: number | null;
  },
): Evidence {
  const { nowMs, unknownSinceMs } = at;
  if (unknownSinceMs !== null) {
    // What was known then does not change with time.
    const state = stateAt(run, Number.isNaN(unknownSinceMs) ? null : unknownSinceMs);
    const since = Number.isNaN(unknownSinceMs) ? '' : ` since ${momentText(unknownSinceMs, nowMs)}`;
    return shown('unknown', `was ${stateWords[state]}`, `unknown${since}`);
  }
  const state = stateAt(run, nowMs);
  const silentMs = nowMs === null ? null : Math.max(0, nowMs - Date.parse(run.last_received_at));
  const usually = run.interval_ms === null ? null : `usually every ${ageText(run.interval_ms)}`;
  switch (state) {
    case 'running': {
      const last = silentMs === null ? null : `last event ${agoText(silentMs)}`;
      return shown(state, joined(' · ', last, usually));
    }
    case 'quiet':
      return shown(state, joined(', ', silentMs === null ? null : ageText(silentMs), usually));
    case 'lost_contact':
      return shown(state, silentMs === null ? '' : `nothing for ${ageText(silentMs)}, no heartbeat either`);
    case 'finished':
    case 'failed': {
      const endMs = run.end === null ? Number.NaN : instantOf(run.end.at);
      const ago = nowMs === null || Number.isNaN(endMs) ? null : agoText(Math.max(0, nowMs - endMs));
      return shown(state, ago ?? '');
    }
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

/** The evidence of a run of which no event has come. */
export const noEventYet: Evidence = shown('waiting', 'no event has come yet');

/** Time alone makes a run quiet, so the server's last word may be old. */
function stateAt(run: EvidenceFields, nowMs: number | null): RunState {
  if (nowMs === null || run.status !== 'running') return run.state;
  // A row does not say whether the run sends heartbeats; if the server has called it lost or running, it stays that.
  if (run.counts === undefined) return run.state;
  return conditionOf({ ...run, counts: run.counts }, nowMs).state;
}

function shown(state: ShownState, detail: string, word = stateWords[state]): Evidence {
  return { state, glyph: stateGlyphs[state], word, detail };
}

function joined(by: string, ...parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null).join(by);
}
