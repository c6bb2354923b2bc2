import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** Returns what the strip of a run's whole life is drawn from. Its size is bounded as the snapshot's is. */
export function timelineOf(state: RunSnapshot): RunTimeline {
  return {
    position: state.position,
    first_seq: state.first_seq,
    started_at: state.started_at,
    landmarks: state.landmarks,
    gaps: Object.entries(state.emitters).flatMap(([emitter_id, { gaps }]) =>
      gaps.map(([from, to]) => ({ emitter_id, from, to })),
    ),
    missing: state.missing,
    missing_is_exact: state.missing_is_exact,
    attempts: state.attempts,
    attempt: state.attempt,
    end: state.end,
    status: state.status,
    interval_ms: state.interval_ms,
    activity: state.activity,
  };
}
