import type { RunSnapshot } from '@runlog/schema/run/snapshot';

/** Notes the evidence that the log does not hold the run's beginning. The first evidence stays. */
export function beganWithout(state: RunSnapshot, because: NonNullable<RunSnapshot['partial_because']>): void {
  if (state.partial === true) return;
  state.partial = true;
  state.partial_because = because;
}

/**
 * Notes that the first number of an emitter is there. That proves the run's beginning, unless another emitter's first number
 * is still missing, or the run resumed from elsewhere.
 */
export function firstNumberCame(state: RunSnapshot): void {
  if (state.partial === true) {
    if (state.partial_because !== 'first_numbers_missing') return;
    const lacksFirst = Object.values(state.emitters).some(({ gaps }) => gaps[0]?.[0] === 1);
    if (lacksFirst) return;
  }
  state.partial = false;
  state.partial_because = null;
}
