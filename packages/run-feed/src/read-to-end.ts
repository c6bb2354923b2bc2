import type { LogRecord, TopicIo, UnreadableBatch } from '@runlog/topic-io/topic-io';

/** The offset at which reading a partition ended, and the start of its log at that time. */
export interface ReadPartition {
  readonly nextOffset: number;
  readonly startOffset: number;
}

/**
 * Reads partitions of a topic to their end. The end is reached when the next offset equals the stable end of the latest
 * fetch. That of the first fetch would not do, because compaction may have removed the records that were the newest
 * then. Records arrive in order per partition; `from` defaults to the log's beginning.
 */
export async function readToEnd(
  io: TopicIo,
  options: {
    topic: string;
    partitions: readonly number[];
    from?: (partition: number) => number;
    signal?: AbortSignal;
    onRecords: (records: readonly LogRecord[], partition: number) => void;
    /** Is told of batches that nobody can read, before what follows them. Without it, the first of them is a fault. */
    onUnreadable?: (batches: readonly UnreadableBatch[], partition: number) => void;
  },
): Promise<Map<number, ReadPartition>> {
  const ended = new Map<number, ReadPartition>();
  if (options.partitions.length === 0) return ended;
  await using reader = io.reader({
    topic: options.topic,
    passesUnreadable: options.onUnreadable !== undefined,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  for (const partition of options.partitions)
    reader.add({ partition, offset: options.from?.(partition) ?? 0 });
  for await (const fetched of reader) {
    switch (fetched.kind) {
      case 'out_of_range':
        // Retention has moved the beginning past the position. A position beyond the end counts as the end.
        if (fetched.requestedOffset < fetched.startOffset) {
          reader.add({ partition: fetched.partition, offset: fetched.startOffset });
        } else {
          ended.set(fetched.partition, { nextOffset: fetched.stableEnd, startOffset: fetched.startOffset });
        }
        break;
      case 'records':
        if (fetched.unreadable !== undefined) options.onUnreadable?.(fetched.unreadable, fetched.partition);
        if (fetched.records.length > 0) options.onRecords(fetched.records, fetched.partition);
        if (fetched.nextOffset >= fetched.stableEnd) {
          reader.remove(fetched.partition);
          ended.set(fetched.partition, { nextOffset: fetched.nextOffset, startOffset: fetched.startOffset });
        }
        break;
      default: {
        const unreachable: never = fetched;
        throw new Error(`unknown fetch ${JSON.stringify(unreachable)}`);
      }
    }
    if (ended.size === options.partitions.length) return ended;
  }
  options.signal?.throwIfAborted();
  throw new Error(`the reader of ${options.topic} ended before the log did`);
}
