import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { changedReader } from '../support/changed-reader.ts';

/** Returns the same log with some operations changed. All others are passed through. */
export function changedIo(io: TopicIo, changes: Partial<TopicIo>): TopicIo {
  return {
    engine: io.engine,
    ensureTopics: (specs) => io.ensureTopics(specs),
    describeTopic: (name) => io.describeTopic(name),
    deleteTopic: (name, only) => io.deleteTopic(name, only),
    bounds: (topic) => io.bounds(topic),
    offsetAtTime: (position) => io.offsetAtTime(position),
    openTransactions: (position) => io.openTransactions(position),
    writer: (options) => io.writer(options),
    fencedWriter: (id) => io.fencedWriter(id),
    reader: (options) => io.reader(options),
    groupMember: (options) => io.groupMember(options),
    throttledMs: () => io.throttledMs(),
    ping: () => io.ping(),
    [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
    ...changes,
  };
}

/** Returns the same log, but readers of some topics see other records. Positions and bounds stay. */
export function changedRecords(
  io: TopicIo,
  { of, change }: { of: (topic: string) => boolean; change: (records: readonly LogRecord[]) => LogRecord[] },
): TopicIo {
  return changedIo(io, {
    reader: (options) => {
      const reader = io.reader(options);
      if (!of(options.topic)) return reader;
      return changedReader(reader, async function* (answers) {
        for await (const fetched of answers) {
          if (fetched.kind !== 'records') yield fetched;
          else yield { ...fetched, records: change(fetched.records) };
        }
      });
    },
  });
}
