import { CHECKPOINT_KEY } from '@runlog/records/checkpoint-record';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
import { changedIo } from './changed-io.ts';
import type { Mutant } from './mutants-of-time.ts';

const isFigures = (topic: string) => topic.startsWith('run-figures');

/** Changes the records of figures in each transaction. */
function changedFigures(
  io: TopicIo,
  change: (records: readonly RecordToAppend[], commit: number) => readonly RecordToAppend[],
): TopicIo {
  let commits = 0;
  return changedIo(io, {
    fencedWriter: async (id) => {
      const writer = await io.fencedWriter(id);
      return {
        commit: async (transaction) => {
          commits += 1;
          const records = transaction.records.map((of) =>
            isFigures(of.topic) ? { ...of, records: change(of.records, commits) } : of,
          );
          await writer.commit({ ...transaction, records });
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  });
}

/** Keeps the checkpoint and drops the figures that it speaks for, in every third transaction. */
const dropSome = (records: readonly RecordToAppend[], commit: number) =>
  commit % 3 === 0 ? records.filter(({ key }) => key === CHECKPOINT_KEY) : records;

const keepRetired = (records: readonly RecordToAppend[]) => records.filter(({ value }) => value !== null);

/** Mutants that only the figures reveal. */
export const mutantsOfFigures: readonly Mutant[] = [
  {
    name: 'an aggregator that passes figures which it has not written',
    mutations: { wrapIo: (io, of) => (of === 'aggregator' ? changedFigures(io, dropSome) : io) },
    historiesMax: 50,
  },
  {
    name: 'an aggregator that keeps the figures of retired runs',
    mutations: { wrapIo: (io, of) => (of === 'aggregator' ? changedFigures(io, keepRetired) : io) },
    faults: ['retirement'],
    historiesMax: 200,
  },
];
