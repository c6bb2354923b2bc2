import type { HeldPartition } from '@runlog/run-feed/held-partitions';
import { heldLine } from '../log/held-line.ts';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning } = findingsOf('transactions');

/** Judges the open transactions on the events topic, to which runlog itself writes in none. */
export function judgeTransactions(
  held: readonly HeldPartition[],
  of: { readonly topic: string; readonly partitions: number; readonly nowMs: number },
): Finding[] {
  if (held.length === 0) {
    return [ok(of.topic, `no transaction holds events back on any of its ${of.partitions} partitions`)];
  }
  return held.map((one) => {
    const { topic, partition, startOffset, heldBack, producerId, transactionalId, openedMs, timeoutMs } = one;
    const details = {
      topic,
      partition,
      startOffset,
      heldBack,
      producerId,
      transactionalId,
      openedMs,
      timeoutMs,
    };
    return warning(`${topic}:${partition}`, heldLine(one, of.nowMs), { details });
  });
}
