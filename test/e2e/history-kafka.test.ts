import { decodeRunRecord } from '@runlog/records/run-record';
import { evolve } from '@runlog/run-state/evolve';
import { storedEventSchema } from '@runlog/schema/http/gateway-api';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { systemClock } from '@runlog/service-kit/clock';
import type { Compression } from '@runlog/topic-io/compression';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { LogRecord, RecordToAppend } from '@runlog/topic-io/topic-io';
import fc from 'fast-check';
import { describe, expect, inject, it } from 'vitest';
import { History } from '../../services/gateway/src/read/history.ts';
import { PastStates } from '../../services/gateway/src/read/past-states.ts';
import { TEST_EPOCH } from '../support/event-factory.ts';
import { expectLive, interleaved, training } from '../support/long-runs.ts';
import { foldedLive } from '../support/past-log.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const KEY = 'c1/r1/default';
const { signal } = new AbortController();

async function openTopic(records: readonly RecordToAppend[], compression: Compression) {
  const io = await openKafka({
    brokers: inject('kafkaBrokers'),
    clientId: 'runlog-history',
    logger: silentLogger,
  });
  const topic = { name: uniqueName('events'), partitions: 1 };
  await io.ensureTopics([{ ...topic, cleanupPolicy: 'delete', settings: {} }]);
  await using writer = await io.writer({ compression });
  const written: LogRecord[] = [];
  for (let from = 0; from < records.length; from += 1_000) {
    const some = records.slice(from, from + 1_000).map((record) => ({ ...record, timestampMs: Date.now() }));
    const { acknowledged, baseOffset } = await writer.append({
      topic: topic.name,
      partition: 0,
      records: some,
    });
    expect(acknowledged).toBe(some.length);
    for (const [index, record] of some.entries()) written.push({ ...record, offset: baseOffset + index });
  }
  return { io, topic, records: written, [Symbol.asyncDispose]: () => io[Symbol.asyncDispose]() };
}

/** The state after the run's records up to an offset. */
function stateAt(records: readonly LogRecord[], seq: number): RunSnapshot | null {
  return records
    .filter((record) => record.key === KEY && record.offset <= seq)
    .map((record) => decodeRunRecord(record, TEST_EPOCH))
    .reduce<RunSnapshot | null>((state, record) => {
      return record.kind === 'unfoldable' ? state : evolve(state, record);
    }, null);
}

describe('the past of a run on Kafka', () => {
  it.each(['none', 'gzip'] as const)(
    'is what went out live, compressed as %s',
    async (compression) => {
      const runs = ['r0', 'r2', 'r3'].map((run_id) => training(3_000, { run_id }));
      await using log = await openTopic(interleaved([...runs, training(4_000)]), compression);
      const { io, topic, records } = log;
      const live = foldedLive(records, KEY);
      const seqs = records.filter(({ key }) => key === KEY).map(({ offset }) => offset);
      const states = new PastStates({ io, topic, clock: systemClock });
      const place = fc.integer({ min: live.state.first_seq, max: records.length });
      await fc.assert(
        fc.asyncProperty(
          place,
          fc.integer({ min: 1, max: 200 }),
          fc.boolean(),
          async (at, limit, isForward) => {
            const history = new History({ io, topic, clock: systemClock });
            const asked = { limit, signal, ...(isForward ? { after: at } : { before: at }) };
            const { events } = await history.page({ state: live.state, ...asked });
            const found = events.map((text) => storedEventSchema.parse(JSON.parse(text)));
            const beyond = seqs.filter((seq) => (isForward ? seq > at : seq < at));
            expect(found.map(({ seq }) => seq)).toEqual(
              isForward ? beyond.slice(0, limit) : beyond.slice(-limit),
            );
            expectLive(found, live);
            const past = await states.at({ run: live.state, seq: at, signal });
            const expected = JSON.stringify(stateAt(records, at));
            expect(past.kind === 'reached' && JSON.stringify(past.state)).toBe(expected);
          },
        ),
        { numRuns: 25 },
      );
    },
    120_000,
  );
});
