import { printable } from '@runlog/service-kit/printable';
import type { UnreadableBatch } from '@runlog/topic-io/topic-io';

/** Says on one line which batch nobody can read. */
export function unreadableLine(
  batch: Pick<UnreadableBatch, 'firstOffset' | 'lastOffset' | 'reason'>,
  at: { topic: string; partition: number },
): string {
  const { firstOffset, lastOffset, reason } = batch;
  return printable(
    `${at.topic}:${at.partition}: the batch at offsets ${firstOffset} to ${lastOffset} ${reason}`,
  );
}
