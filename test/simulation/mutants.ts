import {
  type FencedWriter,
  type RecordToAppend,
  type TopicIo,
  TopicIoError,
  type TopicReader,
} from '@runlog/topic-io/topic-io';
import { changedReader } from '../support/changed-reader.ts';
import { changedIo, changedRecords } from './changed-io.ts';
import { mutantsOfFigures } from './mutants-of-figures.ts';
import { type Mutant, mutantsOfTime } from './mutants-of-time.ts';
import { SimulatedLog } from './simulated-log.ts';
import type { Mutations } from './world.ts';

/** A log in which zombies may write. */
class UnfencedLog extends SimulatedLog {
  protected override mayWrite(holder: { id: string; epoch: number }, epoch: number): boolean {
    return holder.id !== 'run-meta' || super.mayWrite(holder, epoch);
  }
}

/** A log that acknowledges every request and loses one in twenty. */
class ForgetfulLog extends SimulatedLog {
  #appends = 0;

  override append(at: { topic: string; partition: number; records: readonly RecordToAppend[] }): number {
    this.#appends += 1;
    const partition = this.partition(at.topic, at.partition);
    return partition !== null && this.#appends % 20 === 0 ? partition.end : super.append(at);
  }
}

/** Makes readers stop at the end that they saw first, whatever has been written and compacted since. */
function stopAtFirstEnd(io: TopicIo): TopicIo {
  return changedIo(io, {
    reader: (options) => {
      const reader = io.reader(options);
      const ends = new Map<number, number>();
      const frozen = changedReader(reader, async function* (answers) {
        for await (const fetched of answers) {
          if (fetched.kind !== 'records' || options.topic !== 'run-snapshots') {
            yield fetched;
            continue;
          }
          const stableEnd = ends.get(fetched.partition) ?? fetched.stableEnd;
          ends.set(fetched.partition, stableEnd);
          yield { ...fetched, stableEnd };
        }
      });
      const add: TopicReader['add'] = (position) => {
        ends.delete(position.partition);
        reader.add(position);
      };
      return { ...frozen, add };
    },
  });
}

/**
 * Takes the writer id only at the first commit, after the restore, so that a zombie's last write can come in between.
 */
function fenceLate(io: TopicIo): TopicIo {
  return changedIo(io, {
    fencedWriter: async (id) => {
      if (id === 'run-meta') return io.fencedWriter(id);
      let held: FencedWriter | null = null;
      const late: FencedWriter = {
        commit: async (transaction) => {
          held ??= await io.fencedWriter(id);
          await held.commit(transaction);
        },
        [Symbol.asyncDispose]: async () => held?.[Symbol.asyncDispose](),
      };
      return late;
    },
  });
}

/** Drops one event record in twenty before the fold. */
function skipRecords(io: TopicIo): TopicIo {
  return changedRecords(io, {
    of: (topic) => topic === 'run-events',
    change: (records) => records.filter(({ offset }) => offset % 20 !== 7),
  });
}

/** Writes snapshots and checkpoint in two transactions, the checkpoint first. */
function splitFlush(io: TopicIo): TopicIo {
  return changedIo(io, {
    fencedWriter: async (id) => {
      const writer = await io.fencedWriter(id);
      return {
        commit: async ({ records, offsets }) => {
          const checkpoint = records.map((of) => ({
            ...of,
            records: of.records.filter(({ key }) => key.startsWith('#')),
          }));
          const rest = records.map((of) => ({
            ...of,
            records: of.records.filter(({ key }) => !key.startsWith('#')),
          }));
          await writer.commit({ records: checkpoint, ...(offsets ? { offsets } : {}) });
          await writer.commit({ records: rest });
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  });
}

/** Hides from a holder that its commit failed. */
function swallowFailures(io: TopicIo): TopicIo {
  return changedIo(io, {
    fencedWriter: async (id) => {
      const writer = await io.fencedWriter(id);
      if (id === 'run-meta') return writer;
      return {
        commit: async (transaction) => {
          await writer.commit(transaction).catch((error: unknown) => {
            if (!(error instanceof TopicIoError)) throw error;
          });
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  });
}

const forAggregators = (wrap: (io: TopicIo) => TopicIo): Mutations => ({
  wrapIo: (io, of) => (of === 'aggregator' ? wrap(io) : io),
});

const forGateways = (wrap: (io: TopicIo) => TopicIo): Mutations => ({
  wrapIo: (io, of) => (of === 'gateway' ? wrap(io) : io),
});

/** The mutants that the simulation must find. */
export const mutants: readonly Mutant[] = [
  ...mutantsOfTime,
  ...mutantsOfFigures,
  {
    name: 'a log that does not fence zombies',
    mutations: { makeLog: (options) => new UnfencedLog(options) },
    historiesMax: 500,
  },
  {
    name: 'a log that acknowledges and forgets',
    mutations: { makeLog: (options) => new ForgetfulLog(options) },
    historiesMax: 20,
  },
  {
    name: 'a gateway that restores to the first stable end it sees',
    mutations: forGateways(stopAtFirstEnd),
    // What it misses is mostly folded again, because checkpoints lag by the age of the figures.
    faults: ['compaction', 'retention', 'stop'],
    historiesMax: 4_000,
  },
  {
    name: 'an aggregator that fences only when it writes',
    mutations: forAggregators(fenceLate),
    historiesMax: 1_000,
  },
  {
    name: 'an aggregator that writes checkpoint and snapshots in two transactions',
    mutations: forAggregators(splitFlush),
    historiesMax: 20,
  },
  {
    name: 'an aggregator that continues after a failed commit',
    mutations: forAggregators(swallowFailures),
    historiesMax: 500,
  },
  { name: 'an aggregator that skips records', mutations: forAggregators(skipRecords), historiesMax: 20 },
  {
    name: 'a hub that loses an entry of a batch',
    mutations: {
      tamper: (changes) => changes.map((change) => ({ ...change, entries: change.entries.slice(0, 1) })),
    },
    historiesMax: 50,
  },
  {
    name: 'a gateway that does not say which entries a resume leaves out',
    mutations: { garble: (message) => message.replaceAll(/,"skipped":\{[^}]*\}/g, '') },
    historiesMax: 2_000,
  },
  {
    name: 'a gateway that tells the groups of a view in its first answer only',
    mutations: {
      garble: (message) =>
        message.replaceAll(/("gone":.*"total":\d+,"counts":\{[^}]*\}),"groups":.*?\]\]/g, '$1'),
    },
    historiesMax: 20,
  },
  { name: 'a gateway that skips records', mutations: forGateways(skipRecords), historiesMax: 20 },
];
