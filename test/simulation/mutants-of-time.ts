import { controlOf } from '@runlog/records/control-record';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type {
  LogRecord,
  RecordToAppend,
  TopicDescription,
  TopicIo,
  TopicSpec,
} from '@runlog/topic-io/topic-io';
import { changedReader } from '../support/changed-reader.ts';
import { changedIo, changedRecords } from './changed-io.ts';
import type { Fault } from './plan.ts';
import { SimulatedLog } from './simulated-log.ts';
import type { Mutations, ProgramKind } from './world.ts';

/** Something broken on purpose. */
export interface Mutant {
  readonly name: string;
  readonly mutations: Mutations;
  /** The most histories that it may take to find it. */
  readonly historiesMax: number;
  /** Only histories with these faults contain what it breaks. */
  readonly faults?: readonly Fault['kind'][];
}

const EVENTS = 'run-events';

/** A log that removes tombstones with the first cleaning. */
class ShortTombstonesLog extends SimulatedLog {
  override ensureTopic(spec: TopicSpec): ReturnType<SimulatedLog['ensureTopic']> {
    return super.ensureTopic({ ...spec, settings: { ...spec.settings, 'delete.retention.ms': '0' } });
  }
}

/** Changes the control records that a process writes, or drops them if `change` returns null. */
function changedControl(io: TopicIo, change: (record: RecordToAppend) => RecordToAppend | null): TopicIo {
  return changedIo(io, {
    writer: async (options) => {
      const writer = await io.writer(options);
      return {
        append: async (batch) => {
          const records = batch.records.flatMap((record) => {
            const changed = controlOf(record) === null ? record : change(record);
            return changed === null ? [] : [changed];
          });
          return await writer.append({ ...batch, records });
        },
        get pendingBytes() {
          return writer.pendingBytes;
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  });
}

const withoutPosition = (record: RecordToAppend): RecordToAppend => ({
  ...record,
  value: Buffer.from(JSON.stringify({ ...JSON.parse(record.value!.toString('utf8')), through: null })),
});

/** Reports bounds that cover any position, and lets a reader beyond the end continue at the end. */
function goOnAtEnd(io: TopicIo): TopicIo {
  return changedIo(io, {
    bounds: async (topic) => {
      const bounds = await io.bounds(topic);
      return topic === EVENTS ? bounds.map((of) => ({ ...of, stableEnd: Number.MAX_SAFE_INTEGER })) : bounds;
    },
    reader: (options) => {
      const reader = io.reader(options);
      if (options.topic !== EVENTS) return reader;
      return changedReader(reader, async function* (answers) {
        for await (const fetched of answers) {
          if (fetched.kind === 'out_of_range') {
            reader.add({ partition: fetched.partition, offset: fetched.stableEnd });
          } else yield fetched;
        }
      });
    },
  });
}

/** Accepts events that end anywhere. */
function endlessBounds(io: TopicIo): TopicIo {
  return changedIo(io, { bounds: goOnAtEnd(io).bounds });
}

/** A log whose topics have no ids, as on a broker that is older than these. */
function withoutIds(io: TopicIo): TopicIo {
  const without = ({ id: _, ...description }: TopicDescription): TopicDescription => description;
  return changedIo(io, {
    ensureTopics: async (specs) => (await io.ensureTopics(specs)).map(without),
    describeTopic: async (name) => {
      const found = await io.describeTopic(name);
      return found === null ? null : without(found);
    },
  });
}

const isFigures = (topic: string) => topic.startsWith('run-figures');

const withoutTombstones = (records: readonly LogRecord[]) => records.filter(({ value }) => value !== null);

/** Reads every fold version as this build's. */
function foldsAlike(io: TopicIo): TopicIo {
  const alike = (record: LogRecord): LogRecord => ({
    ...record,
    value:
      record.value === null
        ? null
        : Buffer.from(record.value.toString('utf8').replace(/"fold":\d+/, `"fold":${FOLD_VERSION}`)),
  });
  return changedRecords(io, { of: (topic) => topic !== EVENTS, change: (records) => records.map(alike) });
}

const forThe = (kind: ProgramKind, wrap: (io: TopicIo) => TopicIo): Mutations => ({
  wrapIo: (io, of) => (of === kind ? wrap(io) : io),
});

/** Mutants that only time, other events or another fold reveal. */
export const mutantsOfTime: readonly Mutant[] = [
  {
    name: 'a log that removes tombstones while somebody reads',
    // A run whose figures are gone is folded anew, which would mend the fault. So they stay.
    mutations: {
      makeLog: (options) => new ShortTombstonesLog(options),
      wrapIo: (io) => changedRecords(io, { of: isFigures, change: withoutTombstones }),
    },
    faults: ['retirement', 'compaction'],
    historiesMax: 2_000,
  },
  {
    name: 'a gateway that believes what it read before it slept',
    mutations: {
      oversleeps: (process) => process.startsWith('gateway'),
      wrapIo: (io) => changedRecords(io, { of: isFigures, change: withoutTombstones }),
    },
    faults: ['leap', 'freeze'],
    historiesMax: 1_000,
  },
  {
    name: 'an aggregator that retires no run by age',
    mutations: forThe('aggregator', (io) => changedControl(io, () => null)),
    faults: ['leap'],
    historiesMax: 50,
  },
  {
    name: 'an aggregator that retires a run by age whatever came in between',
    mutations: forThe('aggregator', (io) => changedControl(io, withoutPosition)),
    faults: ['leap'],
    historiesMax: 200,
  },
  {
    name: 'a gateway that continues at the end of other events',
    mutations: forThe('gateway', (io) => goOnAtEnd(withoutIds(io))),
    faults: ['events deleted'],
    historiesMax: 600,
  },
  {
    name: 'an aggregator that continues at the end of other events',
    mutations: forThe('aggregator', (io) => goOnAtEnd(withoutIds(io))),
    faults: ['events deleted'],
    historiesMax: 50,
  },
  {
    name: 'a rebuild that takes other events for those before',
    mutations: forThe('rebuild', (io) => endlessBounds(withoutIds(io))),
    faults: ['events deleted', 'poison'],
    historiesMax: 200,
  },
  {
    name: 'a rebuild that keeps the epoch though a reader may hold what it cannot prove',
    mutations: { keepsEpoch: true },
    faults: ['truncation'],
    historiesMax: 30,
  },
  {
    name: 'an aggregator that folds on what a newer fold wrote',
    mutations: forThe('aggregator', foldsAlike),
    faults: ['upgrade'],
    historiesMax: 50,
  },
  {
    name: 'a gateway that folds on what a newer fold wrote',
    mutations: forThe('gateway', foldsAlike),
    faults: ['upgrade'],
    historiesMax: 50,
  },
];
