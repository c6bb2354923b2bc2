import type { EmitterProof, RunProof } from '@runlog/schema/http/proof-api';
import type { EmitterState, RunSnapshot } from '@runlog/schema/run/snapshot';

/** Returns what the fold knows of how complete a run is. Its size is bounded as the snapshot's is. */
export function countsProofOf(
  state: RunSnapshot,
): Omit<RunProof, 'watching' | 'verified' | 'unverified_because'> {
  const received = state.total_events_received;
  return {
    position: state.position,
    emitted: received - state.duplicates + state.missing,
    received,
    duplicates: state.duplicates,
    missing: state.missing,
    missing_is_exact: state.missing_is_exact,
    conflicts: state.conflicts,
    unsure: state.unsure,
    emitters: Object.entries(state.emitters).map(([id, emitter]) => emitterProofOf(state, { id, emitter })),
  };
}

function emitterProofOf(
  state: RunSnapshot,
  { id, emitter }: { id: string; emitter: EmitterState },
): EmitterProof {
  const { last, gaps, forgotten, seen } = emitter;
  const inGaps = gaps.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return {
    emitter_id: id,
    last,
    gaps,
    missing: inGaps + (forgotten?.missing ?? 0),
    missing_is_exact: forgotten === undefined || forgotten.missing !== null,
    seen: { seq: seen, ...receivedBetween(state, seen) },
  };
}

/**
 * The state keeps the times of its landmarks only, so another record lies between two of them. Clocks of several ingests may
 * differ, so that the later landmark has the earlier time.
 */
function receivedBetween(
  { position, landmarks, last_received_at }: RunSnapshot,
  seq: number,
): { after: string | null; before: string } {
  if (seq >= position.seq) return { after: last_received_at, before: last_received_at };
  const at = landmarks.findLastIndex(([landmark]) => landmark <= seq);
  const below = landmarks[at]?.[2] ?? null;
  const above = landmarks[at + 1]?.[2] ?? last_received_at;
  if (below === null) return { after: null, before: above };
  if (landmarks[at]![0] === seq) return { after: below, before: below };
  return below < above ? { after: below, before: above } : { after: above, before: below };
}
