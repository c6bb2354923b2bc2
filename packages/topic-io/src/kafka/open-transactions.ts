import type { OpenTransaction } from '../topic-io.ts';
import { BOUNDS } from './config.ts';
import { isDenied, toKafkaFault } from './faults.ts';
import type { KafkaSession } from './session.ts';
import { heldBackAt } from './topics.ts';
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
  /** Whether whoever runs them must prove who they are. */
  readonly isProven: boolean;
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
    const held = await heldBackAt(session, { topic, partition });
    if (held.from === held.to) return [];
    const producers = await openProducers(session, place);
    if (producers === null) return [unexplained(held, place)];
    const oldestFirst = producers.sort((a, b) => a.startOffset - b.startOffset).slice(0, LOOKED_AT_MAX);
    if (oldestFirst.length === 0) return [];
    const ids = await transactionalIds(session, place);
    return Promise.all(
      oldestFirst.map((producer) => explained(session, { producer, ids, place, end: held.to })),
    );
  });
}

/** Resolves to null if the broker does not tell: it is too old, or this process may not read the topic. */
async function openProducers(session: KafkaSession, at: Place): Promise<OpenProducer[] | null> {
  const leader = await session.leader(at);
  if (!knowsProducers(leader)) return null;
  try {
    return await describeProducers(leader, at);
  } catch (error) {
    if (isDenied(toKafkaFault(error))) return null;
    throw error;
  }
}

/** Resolves to the transactional ids by the producer's id, or null if a broker does not tell its own. */
async function transactionalIds(
  session: KafkaSession,
  at: Place,
): Promise<ReadonlyMap<string, string> | null> {
  if (!knowsTransactions(await session.leader(at))) return null;
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

function unexplained(held: { from: number; to: number }, place: Place): OpenTransaction {
  return {
    ...{ startOffset: held.from, heldBack: held.to - held.from },
    ...{ producerId: null, transactionalId: null, openedMs: null, timeoutMs: null },
    remedy: `who has it open is not known here; whoever may read ${place.topic} can ask: ${describeCommand(place)}`,
  };
}

async function explained(
  session: KafkaSession,
  of: { producer: OpenProducer; ids: ReadonlyMap<string, string> | null; place: Place; end: number },
): Promise<OpenTransaction> {
  const { producer, ids, place, end } = of;
  const transactionalId = ids?.get(producer.producerId) ?? null;
  const state = transactionalId === null ? null : await stateOf(session, transactionalId);
  const heldBack = Math.max(0, end - producer.startOffset);
  const known = { ...producer, heldBack, transactionalId };
  const untimed = { ...known, openedMs: null, timeoutMs: null };
  if (transactionalId === null) return { ...untimed, remedy: remedyForUnnamed(ids, { producer, place }) };
  const terminate = `${tool(place)} forceTerminateTransaction --transactionalId ${transactionalId} (a command of Kafka 4.1 and newer, for any broker)`;
  if (state === null) {
    const remedy = `whether it ends by itself is not known here; to end it, stop its producer, or run: ${terminate}`;
    return { ...untimed, remedy };
  }
  if (state.state.startsWith('Prepare')) {
    return { ...untimed, remedy: 'it is ending; nothing is to be done' };
  }
  if (state.state === 'Ongoing') {
    const remedy = `it ends by itself when its timeout is over; to end it now, stop its producer, or run: ${terminate}`;
    return { ...known, openedMs: state.startedMs, timeoutMs: state.timeoutMs, remedy };
  }
  const remedy = `the coordinator of ${transactionalId} has none open, so it hangs and never ends by itself; end it with: ${abort(producer, place)}`;
  return { ...untimed, remedy };
}

function remedyForUnnamed(
  ids: ReadonlyMap<string, string> | null,
  { producer, place }: { producer: OpenProducer; place: Place },
): string {
  if (ids === null) return `who has it open is not known here; ask with: ${describeCommand(place)}`;
  return (
    'no coordinator names it to this process, which may lack the right to Describe its transactional id; if producer ' +
    `${producer.producerId} is not in what an administrator gets from "${tool(place)} list", it hangs and never ends by ` +
    `itself; end it with: ${abort(producer, place)}`
  );
}

function tool({ bootstrapServer, isProven }: Place): string {
  const config = isProven ? ' --command-config admin.properties' : '';
  return `kafka-transactions.sh --bootstrap-server ${bootstrapServer}${config}`;
}

function abort({ startOffset }: OpenProducer, place: Place): string {
  return `${tool(place)} abort --topic ${place.topic} --partition ${place.partition} --start-offset ${startOffset}`;
}

function describeCommand(place: Place): string {
  return `${tool(place)} describe-producers --topic ${place.topic} --partition ${place.partition}`;
}

async function stateOf(session: KafkaSession, transactionalId: string) {
  try {
    const coordinator = await session.coordinator({ kind: 'transaction', id: transactionalId });
    return await describeTransaction(coordinator, transactionalId);
  } catch {
    return null;
  }
}
