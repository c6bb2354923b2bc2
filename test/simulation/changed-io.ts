import type { TopicIo } from '@runlog/topic-io/topic-io';

/** The same log with some of its operations changed; everything that is not named goes through. */
export function changedIo(io: TopicIo, changes: Partial<TopicIo>): TopicIo {
  return {
    engine: io.engine,
    ensureTopics: (specs) => io.ensureTopics(specs),
    describeTopic: (name) => io.describeTopic(name),
    deleteTopic: (name) => io.deleteTopic(name),
    bounds: (topic) => io.bounds(topic),
    offsetAtTime: (position) => io.offsetAtTime(position),
    writer: (options) => io.writer(options),
    fencedWriter: (id) => io.fencedWriter(id),
    reader: (options) => io.reader(options),
    groupMember: (options) => io.groupMember(options),
    ping: () => io.ping(),
    [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
    ...changes,
  };
}
