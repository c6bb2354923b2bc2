import type { HeldPartition } from '@runlog/run-feed/held-partitions';
import { printable } from '@runlog/service-kit/printable';
import { formatInterval } from '../format.ts';

/** Says on one line which records an open transaction holds back, whose it is, and what ends it. */
export function heldLine(held: HeldPartition, nowMs: number): string {
  const { topic, partition, startOffset, heldBack, producerId, transactionalId, remedy } = held;
  const whose = transactionalId ?? (producerId === null ? 'another producer' : `producer ${producerId}`);
  return printable(
    `${topic}:${partition}: an open transaction of ${whose} holds back ${heldBack} records from offset ${startOffset} on` +
      `${timesText(held, nowMs)}; nobody sees them until it ends. Remedy: ${remedy}`,
  );
}

function timesText({ openedMs, timeoutMs }: HeldPartition, nowMs: number): string {
  if (openedMs === null || timeoutMs === null) return '';
  const leftMs = Math.max(0, openedMs + timeoutMs - nowMs);
  return `, opened ${formatInterval(nowMs - openedMs)} ago, over within ${formatInterval(leftMs)}`;
}
