import type { RunTimeline } from '@runlog/schema/http/gateway-api';

/** The timeline of a run that is running and whose only event has offset 0. */
export function timelineOf(overrides: Partial<RunTimeline> = {}): RunTimeline {
  return {
    position: { epoch: 'test-1', seq: 0 },
    first_seq: 0,
    started_at: null,
    landmarks: [[0, 1, '2026-11-27T07:00:00.000Z', 0]],
    gaps: [],
    missing: 0,
    missing_is_exact: true,
    attempts: [],
    attempt: 0,
    end: null,
    status: 'running',
    interval_ms: null,
    activity: [],
    ...overrides,
  };
}
