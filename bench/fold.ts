import { decodeRunRecord } from '@runlog/records/run-record';
import { RunTable } from '@runlog/run-feed/run-table';
import { evolve } from '@runlog/run-state/evolve';
import { FOLD_VERSION, type RunSnapshot } from '@runlog/schema/run/snapshot';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { type Benchmark, type Result, rounded } from './benchmark.ts';
import { inTurn } from './rounds.ts';
import { sampleRecords } from './sample-events.ts';

const EPOCH = 'bench';
const BATCH_RECORDS = 500;
const RUNS = 20;
const EVENTS = 10_000;

/**
 * Measures the nanoseconds per event of the fold alone: bytes go in, states come out, on one thread and without I/O.
 */
export const fold: Benchmark = {
  name: 'fold',
  summary: 'ns per event from record bytes to run state, beside JSON.parse of the same bytes',
  async run({ seconds }): Promise<Result> {
    const records: LogRecord[] = [];
    for (const record of sampleRecords({ runs: RUNS, count: EVENTS, receivedAtMs: 1_767_484_800_000 })) {
      records.push({ ...record, offset: records.length });
    }
    const bytes = records.reduce((sum, { value }) => sum + value!.length, 0);
    const batches: LogRecord[][] = [];
    for (let at = 0; at < records.length; at += BATCH_RECORDS)
      batches.push(records.slice(at, at + BATCH_RECORDS));
    const taken = inTurn(
      {
        parse: () => {
          for (const { value } of records) JSON.parse(value!.toString('utf8'));
        },
        decode: () => {
          for (const record of records) decodeRunRecord(record, EPOCH);
        },
        single: () => {
          const states = new Map<string, RunSnapshot>();
          for (const record of records) {
            const decoded = decodeRunRecord(record, EPOCH);
            if (decoded.kind === 'unfoldable') throw new Error(decoded.reason);
            states.set(record.key, evolve(states.get(record.key) ?? null, decoded)!);
          }
        },
        table: () => {
          const table = new RunTable({ epoch: EPOCH, fold: FOLD_VERSION, partitions: 1, snapshots: '' });
          for (const batch of batches) {
            const { unfoldable } = table.fold(batch, 0);
            if (unfoldable[0] !== undefined) throw new Error(unfoldable[0].reason);
          }
        },
      },
      { seconds },
    );
    const perEvent = (ns: number) => rounded(ns / EVENTS);
    return {
      figure: perEvent(taken.table),
      unit: 'ns/event',
      limit: perEvent(taken.parse),
      limit_is: 'JSON.parse of the same bytes',
      ratio: rounded(taken.parse / taken.table),
      how: `the recordings' events in ${RUNS} runs, batches of ${BATCH_RECORDS} through RunTable.fold; contenders in turn, medians`,
      details: {
        event_bytes: Math.round(bytes / EVENTS),
        decode_ns: perEvent(taken.decode),
        evolve_one_by_one_ns: perEvent(taken.single),
      },
    };
  },
};
