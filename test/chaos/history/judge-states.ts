import type { ObservationOf } from './observation.ts';
import type { TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

/**
 * Judges the states that gateways gave: at one position of an epoch there is one state, whoever gives it, with the counts
 * of the log up to there, and nobody is given an older one than before.
 */
export function judgeStates(
  states: readonly (ObservationOf<'state'> | ObservationOf<'restarted'>)[],
  truth: TopicTruth,
): Violation[] {
  const violations: Violation[] = [];
  const given = new Map<string, ObservationOf<'state'>>();
  const newest = new Map<string, { epoch: string; seq: number }>();
  for (const state of states) {
    const view = `${state.by} of ${state.key}`;
    if (state.kind === 'restarted') {
      newest.delete(view);
      continue;
    }
    const { key, epoch, seq, digest } = state;
    const before = newest.get(view);
    if (before?.epoch === epoch && seq < before.seq) {
      violations.push({ kind: 'state went back', what: `${view}: at ${seq} after ${before.seq}` });
    }
    newest.set(view, { epoch, seq });
    const counts = truth.runs.get(key)?.countsAt(seq) ?? { received: 0, distinct: 0 };
    if (state.received !== counts.received || state.distinct !== counts.distinct) {
      const what = `${view} at ${seq} counts ${state.received} received and ${state.distinct} distinct, true is ${counts.received} and ${counts.distinct}`;
      violations.push({ kind: 'state with wrong counts', what });
    }
    const place = `${key} ${epoch} ${seq}`;
    const other = given.get(place);
    if (other === undefined) given.set(place, state);
    else if (other.digest !== digest) {
      const what = `${key} at ${epoch}/${seq} is one thing for ${other.by} and another for ${state.by}`;
      violations.push({ kind: 'gateways disagree', what });
    }
  }
  return violations;
}
