import { produce, wireBytes } from '@runlog/topic-io/kafka/produce';
import { Reachability } from '@runlog/topic-io/kafka/reachability';
import { KafkaSession } from '@runlog/topic-io/kafka/session';
import { silentLogger } from './silent-logger.ts';

/**
 * Writes a record under a transactional id, as a producer whose request came after the end of its transaction: the partition
 * has an open transaction then, and the coordinator has none. The broker must not verify that (KIP-890).
 */
export async function leaveHangingTransaction(
  brokers: readonly string[],
  at: { topic: string; partition: number; transactionalId: string },
): Promise<void> {
  const kafka = { brokers, clientId: 'runlog-hanging', logger: silentLogger };
  const reachability = new Reachability({ logger: silentLogger, brokers });
  await using session = new KafkaSession({ kafka, reachability, requestTimeoutMs: 8_000 });
  const { transactionalId } = at;
  const record = { key: 'k', value: Buffer.from('not ours'), headers: {}, timestampMs: Date.now() };
  const identity = await session.attempt({ doing: 'open an id', timeoutMs: 20_000 }, async () => {
    const coordinator = await session.coordinator({ kind: 'transaction', id: transactionalId });
    return coordinator.initProducerId({ transactionalId, transactionTimeout: 60_000 });
  });
  await session.attempt({ doing: 'write', timeoutMs: 20_000 }, () =>
    produce({
      ...at,
      session,
      identity,
      records: [record],
      recordBytes: wireBytes(record),
      firstSequence: 0,
    }),
  );
}
