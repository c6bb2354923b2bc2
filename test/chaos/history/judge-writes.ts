import type { ObservationOf } from './observation.ts';
import type { RunRecords, TopicTruth } from './topic-truth.ts';
import type { Violation } from './violation.ts';

interface Sending {
  readonly key: string;
  readonly firstMs: number;
  times: number;
  acknowledgedMs: number;
}

/**
 * Compares what was sent and acknowledged with what the topic holds: nothing that was acknowledged is lost, nothing is
 * there more often than it was sent, and order within a run is kept.
 */
export function judgeWrites(
  history: {
    sent: readonly ObservationOf<'sent'>[];
    acknowledged: readonly ObservationOf<'acknowledged'>[];
    unordered: ReadonlySet<string>;
  },
  truth: TopicTruth,
): Violation[] {
  const violations: Violation[] = [];
  const sendings = sendingsOf(history);
  for (const [id, { key, acknowledgedMs }] of sendings) {
    if (acknowledgedMs === Number.POSITIVE_INFINITY || truth.runs.get(key)?.firstOffsets.has(id)) continue;
    violations.push({
      kind: 'lost write',
      what: `${key}: event ${id} was acknowledged and is not in the log`,
    });
  }
  for (const [key, run] of truth.runs) {
    for (const [id, copies] of run.copies) {
      const sending = sendings.get(id);
      const at = `${key} at ${run.firstOffsets.get(id)}`;
      if (sending?.key !== key)
        violations.push({ kind: 'unsent write', what: `${at}: nobody sent event ${id}` });
      else if (copies > sending.times) {
        const what = `${at}: event ${id} is there ${copies} times and was sent ${sending.times} times`;
        violations.push({ kind: 'doubled write', what });
      }
    }
    violations.push(...judgeTimes({ key, run, sendings }));
    violations.push(...judgeNumbers({ key, run, unordered: history.unordered }));
  }
  return violations;
}

function sendingsOf(history: {
  sent: readonly ObservationOf<'sent'>[];
  acknowledged: readonly ObservationOf<'acknowledged'>[];
}): Map<string, Sending> {
  const sendings = new Map<string, Sending>();
  for (const { key, id, atMs } of history.sent) {
    const sending = sendings.get(id);
    if (sending !== undefined) sending.times += 1;
    else sendings.set(id, { key, firstMs: atMs, times: 1, acknowledgedMs: Number.POSITIVE_INFINITY });
  }
  for (const { id, atMs } of history.acknowledged) {
    const sending = sendings.get(id);
    if (sending !== undefined) sending.acknowledgedMs = Math.min(sending.acknowledgedMs, atMs);
  }
  return sendings;
}

/** An event that was acknowledged before another one was sent stands before that one. */
function judgeTimes(of: { key: string; run: RunRecords; sendings: Map<string, Sending> }): Violation[] {
  const violations: Violation[] = [];
  const firsts = [...of.run.firstOffsets].sort(([, left], [, right]) => right - left);
  let earliest = { acknowledgedMs: Number.POSITIVE_INFINITY, id: '' };
  for (const [id, offset] of firsts) {
    const sending = of.sendings.get(id);
    if (sending === undefined) continue;
    if (earliest.acknowledgedMs < sending.firstMs) {
      const what = `${of.key} at ${offset}: event ${id} stands before ${earliest.id}, which was acknowledged before it was sent`;
      violations.push({ kind: 'write out of order', what });
    }
    if (sending.acknowledgedMs < earliest.acknowledgedMs) {
      earliest = { acknowledgedMs: sending.acknowledgedMs, id };
    }
  }
  return violations;
}

/** The ids of an emitter that sends one body at a time stand in the order of their numbers. */
function judgeNumbers(of: { key: string; run: RunRecords; unordered: ReadonlySet<string> }): Violation[] {
  const violations: Violation[] = [];
  const newest = new Map<string, number>();
  for (const [id, offset] of of.run.firstOffsets) {
    const at = id.lastIndexOf(':');
    const emitter = id.slice(0, id.indexOf(':'));
    if (at === -1 || of.unordered.has(emitter)) continue;
    const number = Number(id.slice(at + 1));
    const before = newest.get(emitter) ?? 0;
    if (number <= before) {
      const what = `${of.key} at ${offset}: event ${number} of ${emitter} stands behind its event ${before}`;
      violations.push({ kind: 'write out of order', what });
    }
    newest.set(emitter, Math.max(before, number));
  }
  return violations;
}
