import type { OpenTransaction } from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import type { KafkaSession } from './session.ts';
import {
  describeProducers,
  describeTransaction,
  knowsProducers,
  knowsTransactions,
  listTransactions,
  type OpenProducer,
} from './transaction-states.ts';

interface Place {
  readonly topic: string;
  readonly partition: number;
  /** For the commands that are recommended. */
  readonly bootstrapServer: string;
}

/** More transactions than these are not looked at: the oldest is the one that holds readers back. */
const LOOKED_AT_MAX = 3;

/** See `TopicIo.openTransactions`. */
export async function openTransactions(
  session: KafkaSession,
  place: Place,
): Promise<readonly OpenTransaction[]> {
  const { topic, partition } = place;
  const asking = { doing: `ask who writes to ${topic}/${partition}`, timeoutMs: BOUNDS.operationMs };
  return session.attempt(asking, async () => {
    const leader = await session.leader({ topic, partition });
    if (!knowsProducers(leader)) return [];
    const producers = await describeProducers(leader, { topic, partition });
    const oldestFirst = producers.sort((a, b) => a.startOffset - b.startOffset).slice(0, LOOKED_AT_MAX);
    if (oldestFirst.length === 0) return [];
    const ids = knowsTransactions(leader) ? await transactionalIds(session) : null;
    return Promise.all(oldestFirst.map((producer) => explained(session, { producer, ids, place })));
  });
}

/** Resolves to the transactional ids by the producer's id, or null if a broker does not tell its own. */
async function transactionalIds(session: KafkaSession): Promise<ReadonlyMap<string, string> | null> {
  const { brokers } = await session.refresh();
  const ids = new Map<string, string>();
  try {
    for (const { nodeId } of brokers) {
      const listed = await listTransactions(await session.broker(nodeId));
      for (const [producerId, transactionalId] of listed) ids.set(producerId, transactionalId);
    }
    return ids;
  } catch {
    // Who it is would be good to know. That there is one is known already.
    return null;
  }
}

async function explained(
  session: KafkaSession,
  of: { producer: OpenProducer; ids: ReadonlyMap<string, string> | null; place: Place },
): Promise<OpenTransaction> {
  const { producer, ids, place } = of;
  const transactionalId = ids?.get(producer.producerId) ?? null;
  const state = transactionalId === null ? null : await stateOf(session, transactionalId);
  const isOngoing = state?.state === 'Ongoing';
  const isEnding = state?.state.startsWith('Prepare') ?? false;
  const known = { ...producer, transactionalId };
  const tool = `kafka-transactions.sh --bootstrap-server ${place.bootstrapServer}`;
  const at = `--topic ${place.topic} --partition ${place.partition} --start-offset ${producer.startOffset}`;
  if (isEnding) {
    const remedy = 'it is ending; nothing is to be done';
    return { ...known, openedMs: null, timeoutMs: null, remedy };
  }
  if (isOngoing && transactionalId !== null) {
    const remedy =
      `it ends by itself when its timeout is over; to end it now, stop its producer, or run: ${tool} ` +
      `forceTerminateTransaction --transactionalId ${transactionalId}`;
    return { ...known, openedMs: state.startedMs, timeoutMs: state.timeoutMs, remedy };
  }
  const remedy =
    ids === null
      ? `who has it open is not known here; ask with: ${tool} describe-producers --topic ${place.topic} --partition ${place.partition}`
      : 'no coordinator names it as open to this process; if it stays for longer than the transaction.max.timeout.ms of ' +
        `the brokers, it hangs and never ends by itself: ${tool} abort ${at}`;
  return { ...known, openedMs: null, timeoutMs: null, remedy };
}

async function stateOf(session: KafkaSession, transactionalId: string) {
  try {
    const coordinator = await session.coordinator({ kind: 'transaction', id: transactionalId });
    return await describeTransaction(coordinator, transactionalId);
  } catch {
    return null;
  }
}
