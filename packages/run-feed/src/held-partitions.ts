import type { OpenTransaction, TopicIo } from '@runlog/topic-io/topic-io';

/** A partition whose newest records no reader gets, and the transaction that keeps them from it. */
export interface HeldPartition extends OpenTransaction {
  readonly topic: string;
  readonly partition: number;
}

/** Resolves to the partitions of a topic where an open transaction holds records back now. */
export async function heldPartitions(
  io: TopicIo,
  of: { topic: string; partitions: number },
): Promise<HeldPartition[]> {
  const { topic, partitions } = of;
  const held: HeldPartition[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const [oldest] = await io.openTransactions({ topic, partition });
    if (oldest !== undefined) held.push({ topic, partition, ...oldest });
  }
  return held;
}
