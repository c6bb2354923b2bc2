import type { OpenTransaction } from '@runlog/topic-io/topic-io';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning } = findingsOf('transactions');

export interface HeldPartition {
  readonly partition: number;
  readonly open: readonly OpenTransaction[];
}

/** Judges the open transactions on the events topic, to which runlog itself writes in none. */
export function judgeTransactions(
  topic: string,
  partitions: readonly HeldPartition[],
  nowMs: number,
): Finding[] {
  const held = partitions.filter(({ open }) => open.length > 0);
  if (held.length === 0)
    return [ok(topic, `no transaction is open on any of its ${partitions.length} partitions`)];
  return held.map(({ partition, open: [oldest] }) => {
    const { startOffset, producerId, transactionalId, openedMs, timeoutMs, remedy } = oldest!;
    const whose = transactionalId ?? `producer ${producerId}`;
    const since = openedMs === null ? '' : ` for ${Math.round((nowMs - openedMs) / 1_000)} s`;
    const ends = timeoutMs === null ? '' : `, whose timeout is ${Math.round(timeoutMs / 1_000)} s,`;
    const message = `a transaction of ${whose}${ends} has been open${since} and holds back every event from offset ${startOffset} on: ${remedy}`;
    return warning(`${topic}/${partition}`, message, {
      details: { partition, startOffset, producerId, transactionalId, openedMs, timeoutMs },
    });
  });
}
