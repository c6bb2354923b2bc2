import type { RunState } from '@runlog/schema/run/snapshot';
import { formatDuration, formatInterval } from './format.ts';

/** What the state of a run is judged by. */
interface Standing {
  readonly state: RunState;
  readonly state_since: string | null;
  readonly interval_ms: number | null;
}

/** Says how a run stands, and by what evidence: `quiet 2m 05s, usually every 25s`. */
export function stateText({ state, state_since, interval_ms }: Standing, nowMs: number): string {
  const silent = state_since === null ? '' : ` ${formatDuration((nowMs - Date.parse(state_since)) / 1_000)}`;
  switch (state) {
    case 'running':
    case 'finished':
    case 'failed':
      return state;
    case 'quiet':
      return `quiet${silent}${interval_ms === null ? '' : `, usually every ${formatInterval(interval_ms)}`}`;
    case 'lost_contact':
      return `lost contact, no heartbeat for${silent}`;
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}
