import type { Logger } from '@runlog/topic-io/logger';
import { type OpenTransaction, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';

const LOOK_MS = 500;
/** Transactions of aggregators last ten seconds at most. One that is open for longer is another producer's, or hangs. */
const FOREIGN_AFTER_MS = 12_000;

interface Waiting {
  readonly io: TopicIo;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Is called when the snapshots or figures that were read end too early. That says nothing about those that are stored while
 * an open transaction keeps them from readers. Rejects with `unavailable` if there may be more to read, once no transaction
 * hides it any more. `readTo`: where reading ended, if that is known.
 */
export async function awaitHidden(
  at: Place & { readTo?: number },
  options: Waiting & { readonly logger: Logger },
): Promise<void> {
  const { topic, partition, readTo = Number.POSITIVE_INFINITY } = at;
  const { io, logger, sleep, signal } = options;
  let open = await oldest(io, at);
  const wasHidden = open !== null;
  if (open !== null) {
    const { startOffset, heldBack, transactionalId, producerId, remedy } = open;
    logger.warn(
      { topic, partition, startOffset, records: heldBack, transactionalId, producerId, remedy },
      'an open transaction holds snapshots back; where they end is not known until it has ended',
    );
  }
  while (open !== null) {
    await sleep(LOOK_MS, signal);
    signal.throwIfAborted();
    open = await oldest(io, at);
  }
  if (!wasHidden && (await io.bounds(topic))[partition]!.stableEnd <= readTo) return;
  throw new TopicIoError('unavailable', `${topic} partition ${partition} has more to read; reading anew`);
}

/** Rejects with `unavailable` if another producer's open transaction keeps something in the topic from its readers. */
export async function refuseHidden(
  at: { topic: string; partitions: readonly number[] },
  { io, sleep, signal }: Waiting,
): Promise<void> {
  for (const partition of at.partitions) {
    const place = { topic: at.topic, partition };
    const first = await oldest(io, place);
    let open = first;
    for (let waitedMs = 0; open !== null && open.startOffset === first?.startOffset; waitedMs += LOOK_MS) {
      if (waitedMs >= FOREIGN_AFTER_MS) throw hidden(place, open);
      await sleep(LOOK_MS, signal);
      signal.throwIfAborted();
      open = await oldest(io, place);
    }
  }
}

async function oldest(io: TopicIo, { topic, partition }: Place): Promise<OpenTransaction | null> {
  return (await io.openTransactions({ topic, partition }))[0] ?? null;
}

function hidden({ topic, partition }: Place, open: OpenTransaction): TopicIoError {
  const who = open.transactionalId === null ? '' : ` of ${open.transactionalId}`;
  return new TopicIoError(
    'unavailable',
    `an open transaction${who} holds back what is stored in ${topic} partition ${partition} from offset ` +
      `${open.startOffset} on, so it is not known where the snapshots end. Nothing was changed; start again when it has ` +
      `ended: ${open.remedy}`,
  );
}
