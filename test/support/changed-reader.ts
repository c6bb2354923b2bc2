import type { Fetched, TopicReader } from '@runlog/topic-io/topic-io';

/** Returns the same reader, with its answers passed through `change`. */
export function changedReader(
  reader: TopicReader,
  change: (fetched: AsyncIterable<Fetched>) => AsyncIterator<Fetched>,
): TopicReader {
  return {
    add: (position) => reader.add(position),
    remove: (partition) => reader.remove(partition),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    [Symbol.asyncIterator]: () => change(reader),
  };
}
