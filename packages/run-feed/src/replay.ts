import type { LogRecord, TopicIo, UnreadableBatch } from '@runlog/topic-io/topic-io';

/** A range of records of one partition: `from` is inclusive, `to` exclusive. */
export interface ReplayRange {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export interface ReplayedRecord {
  readonly partition: number;
  readonly record: LogRecord;
}

export interface ReplayOptions {
  readonly topic: string;
  readonly ranges: readonly ReplayRange[];
  readonly signal: AbortSignal;
  /** Is told of each batch that nobody can read and that is left out. */
  readonly onUnreadable: (batch: UnreadableBatch, partition: number) => void;
}

/**
 * Yields the records of the ranges in the order of their timestamps (`received_at`), and within a partition in the
 * order of their offsets. It holds one fetch per partition. If retention has deleted the beginning of a range, it
 * starts at the first record that is left.
 */
export async function* replay(io: TopicIo, options: ReplayOptions): AsyncGenerator<ReplayedRecord> {
  const sources = options.ranges.map((range) => recordsOf(io, { ...options, range }));
  try {
    const heads = await Promise.all(sources.map((source) => source.next()));
    for (;;) {
      let first = -1;
      for (const [index, head] of heads.entries()) {
        if (head.done === true) continue;
        const held = first === -1 ? undefined : heads[first];
        if (held === undefined || head.value.timestampMs < (held.value as LogRecord).timestampMs)
          first = index;
      }
      if (first === -1) return;
      yield { partition: options.ranges[first]!.partition, record: heads[first]!.value as LogRecord };
      heads[first] = await sources[first]!.next();
    }
  } finally {
    await Promise.all(sources.map((source) => source.return(undefined)));
  }
}

async function* recordsOf(
  io: TopicIo,
  options: ReplayOptions & { range: ReplayRange },
): AsyncGenerator<LogRecord, undefined> {
  const { partition, from, to } = options.range;
  if (from >= to) return;
  await using reader = io.reader({ topic: options.topic, signal: options.signal, passesUnreadable: true });
  reader.add({ partition, offset: from });
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') {
      if (fetched.requestedOffset >= fetched.startOffset) return;
      reader.add({ partition, offset: fetched.startOffset });
      continue;
    }
    for (const batch of fetched.unreadable ?? []) {
      if (batch.firstOffset < to) options.onUnreadable(batch, partition);
    }
    for (const record of fetched.records) {
      if (record.offset >= to) return;
      yield record;
    }
    if (fetched.nextOffset >= to || fetched.nextOffset >= fetched.stableEnd) return;
  }
}
