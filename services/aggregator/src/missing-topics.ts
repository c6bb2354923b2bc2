import type { RunMeta } from '@runlog/records/meta-record';
import { figuresTopicOf } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import type { Clock } from '@runlog/service-kit/clock';
import type { Fetched, TopicIo, TopicReader } from '@runlog/topic-io/topic-io';

/** A broker may not know a topic for a moment. What was stored in it would then be taken for lost. */
const MISSING_AFTER_MS = 10_000;
const RECHECK_MS = 500;

/** Returns which topics that `run-meta` names are gone. If one is missing, that is concluded only after ten seconds. */
export async function missingTopics(
  { snapshots, fold }: RunMeta,
  options: { io: TopicIo; clock: Clock; signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const { io, clock, signal } = options;
  for (let waitedMs = 0; ; waitedMs += RECHECK_MS) {
    const missing = new Set<string>();
    for (const name of fold < FIGURES_SINCE_FOLD ? [snapshots] : [snapshots, figuresTopicOf(snapshots)]) {
      if ((await io.describeTopic(name)) === null) missing.add(name);
    }
    if (missing.size === 0 || waitedMs >= MISSING_AFTER_MS) return missing;
    await clock.sleep(RECHECK_MS, signal);
    signal.throwIfAborted();
  }
}

/** Returns the same log, but these topics, which are not there, can be read: they are empty. */
export function readingAsEmpty(io: TopicIo, missing: ReadonlySet<string>): TopicIo {
  if (missing.size === 0) return io;
  return {
    engine: io.engine,
    ensureTopics: (specs) => io.ensureTopics(specs),
    describeTopic: (name, needs) => io.describeTopic(name, needs),
    deleteTopic: (name, only) => io.deleteTopic(name, only),
    bounds: (topic) => io.bounds(topic),
    offsetAtTime: (position) => io.offsetAtTime(position),
    openTransactions: (position) => io.openTransactions(position),
    writer: (options) => io.writer(options),
    fencedWriter: (id) => io.fencedWriter(id),
    reader: (options) => (missing.has(options.topic) ? emptyReader() : io.reader(options)),
    groupMember: (options) => io.groupMember(options),
    throttledMs: () => io.throttledMs(),
    ping: () => io.ping(),
    [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
  };
}

function emptyReader(): TopicReader {
  const added: number[] = [];
  async function* answers(): AsyncGenerator<Fetched> {
    for (let partition = added.shift(); partition !== undefined; partition = added.shift()) {
      const at = { nextOffset: 0, stableEnd: 0, startOffset: 0 };
      yield { kind: 'records', partition, records: [], bytes: 0, ...at };
    }
  }
  return {
    add: ({ partition }) => void added.push(partition),
    remove: () => undefined,
    [Symbol.asyncIterator]: () => answers(),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
