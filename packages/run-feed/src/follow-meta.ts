import { decodeMeta, META_KEY, type RunMeta } from '@runlog/records/meta-record';
import type { TopicNames } from '@runlog/schema/log/topics';
import type { TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';

/**
 * Resolves with the first `run-meta` that differs from the given one, which means that a rebuild has switched the
 * snapshot topic or that a newer build writes. Rejects when the signal aborts. `onFault` is told as by a reader, also of a
 * denial, which it outlasts.
 */
export async function metaChange(
  io: TopicIo,
  options: {
    topics: TopicNames;
    meta: RunMeta;
    signal: AbortSignal;
    onFault?: (fault: TopicIoError | null) => void;
  },
): Promise<RunMeta> {
  const { topics, meta, signal, onFault = () => undefined } = options;
  await using reader = io.reader({ topic: topics.meta, signal, onFault, outlastsDenial: true });
  reader.add({ partition: 0, offset: 0 });
  let newest: RunMeta | null = null;
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') {
      reader.add({ partition: 0, offset: fetched.startOffset });
      continue;
    }
    for (const { key, value } of fetched.records) {
      // A broken record stops no service that runs: `readMeta` refuses it to the next one that starts.
      if (key === META_KEY) newest = decodeMeta(value) ?? newest;
    }
    // A record before the end of the topic may be older than the meta that we hold.
    const atEnd = fetched.nextOffset >= fetched.stableEnd;
    if (atEnd && newest !== null && !sameMeta(newest, meta)) return newest;
  }
  signal.throwIfAborted();
  throw new Error(`the reader of ${topics.meta} ended`);
}

/** An id that was added to the record changes nothing for those who work under it. */
export function sameMeta(left: RunMeta, right: RunMeta): boolean {
  return (
    left.epoch === right.epoch &&
    left.fold === right.fold &&
    left.partitions === right.partitions &&
    left.snapshots === right.snapshots
  );
}
