import { partitionOf } from '@runlog/topic-io/partitioner';
import { type AppendResult, type RecordToAppend, TopicIoError } from '@runlog/topic-io/topic-io';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptBatch } from './accept-batch.ts';
import { answerOf, publishedDry, rangesOf } from './answer.ts';
import { eventText, judgedOf } from './made-up/test-events.ts';
import { publish } from './publish.ts';

const PARTITIONS = 4;

type Append = { topic: string; partition: number; records: readonly RecordToAppend[] };

/** Returns a writer whose answers the test chooses. */
function writerThat(answer: (append: Append) => AppendResult | Promise<AppendResult>) {
  const appends: Append[] = [];
  return {
    appends,
    pendingBytes: 0,
    async append(append: Append) {
      appends.push(append);
      return answer(append);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function judgedRuns(runs: readonly string[]) {
  const body = Buffer.from(runs.map((run_id, i) => eventText({ run_id, event_id: `e${i}` })).join('\n'));
  return judgedOf(acceptBatch(body, { format: 'ndjson', clusterId: 'c1', receivedAtMs: 0 }));
}

const all = ({ records }: Append): AppendResult => ({ acknowledged: records.length, baseOffset: 0 });
const down = new TopicIoError('unavailable', 'no broker answers');

function logOf(writer: ReturnType<typeof writerThat>) {
  return { writer, topic: 't', partitions: PARTITIONS, throttledMs: () => 0 };
}

function publishTo(writer: ReturnType<typeof writerThat>, runs: readonly string[], waitMsMax = 1_000) {
  const { events } = judgedRuns(runs);
  return publish({ log: logOf(writer), events, waitMsMax });
}

describe('publish', () => {
  it('appends every partition once, its events in the order of the body', async () => {
    const runs = fc.array(fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5'), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(runs, async (list) => {
        const writer = writerThat(all);
        const published = await publishTo(writer, list);
        expect(published).toMatchObject({ acknowledged: list.length, normalized: 0, retry: [], fault: null });
        const partitions = writer.appends.map((append) => append.partition);
        expect(new Set(partitions).size).toBe(partitions.length);
        for (const { partition, records } of writer.appends) {
          const expected = list.flatMap((run, i) =>
            partitionOf(`c1/${run}/default`, PARTITIONS) === partition ? [`e${i}`] : [],
          );
          expect(records.map((record) => record.headers.event_id)).toEqual(expected);
        }
      }),
    );
  });

  it('asks again for events that a partition did not acknowledge', async () => {
    const writer = writerThat(({ records }) => ({
      acknowledged: Math.min(2, records.length),
      baseOffset: 0,
      fault: down,
    }));
    const published = await publishTo(writer, ['r1', 'r1', 'r1', 'r1']);
    expect(published).toMatchObject({ acknowledged: 2, normalized: 0, retry: [2, 3], fault: down });
  });

  it('reports the gravest fault of several partitions', async () => {
    const full = new TopicIoError('storage_full', 'the disk is full');
    let appended = 0;
    const writer = writerThat(() => {
      appended += 1;
      return { acknowledged: 0, baseOffset: -1, fault: appended === 2 ? full : down };
    });
    const published = await publishTo(writer, ['r1', 'r2', 'r3', 'r4', 'r5']);
    expect(published.fault).toBe(full);
    expect(published.retry).toEqual([0, 1, 2, 3, 4]);
  });

  it('tells events that the log refuses for good from those that it must be asked again for', async () => {
    const fault = new TopicIoError('too_large', 'a record is too large');
    const writer = writerThat(() => ({
      ...{ acknowledged: 1, baseOffset: 0, fault: down },
      refused: [
        { index: 0, fault },
        { index: 2, fault },
      ],
    }));
    const published = await publishTo(writer, ['r1', 'r1', 'r1', 'r1']);
    expect(published).toMatchObject({ acknowledged: 1, retry: [3], fault: down });
    expect(published.refused.map(({ event }) => event.index)).toEqual([0, 2]);
  });

  it('has no fault when everything is acknowledged or refused', async () => {
    const fault = new TopicIoError('too_large', 'a record is too large');
    const writer = writerThat(() => ({
      ...{ acknowledged: 1, baseOffset: 0, fault, refused: [{ index: 1, fault }] },
    }));
    expect(await publishTo(writer, ['r1', 'r1'])).toMatchObject({ acknowledged: 1, retry: [], fault: null });
  });

  it('does not wait longer than it may, and counts what was acknowledged in time', async () => {
    const slow = partitionOf('c1/r1/default', PARTITIONS);
    const writer = writerThat((append) =>
      append.partition === slow ? new Promise<AppendResult>(() => undefined) : all(append),
    );
    const other = ['r2', 'r3', 'r4', 'r5'].find(
      (run) => partitionOf(`c1/${run}/default`, PARTITIONS) !== slow,
    )!;
    const published = await publishTo(writer, ['r1', other], 20);
    expect(published).toMatchObject({ acknowledged: 1, retry: [0], fault: { code: 'unavailable' } });
  });

  it('says later what was acknowledged after it was given up', async () => {
    const answers: ((answer: AppendResult) => void)[] = [];
    const writer = writerThat(() => new Promise<AppendResult>((resolve) => answers.push(resolve)));
    const published = await publishTo(writer, ['r1', 'r1', 'r1', 'r1'], 20);
    expect(published.retry).toEqual([0, 1, 2, 3]);
    const fault = new TopicIoError('too_large', 'a record is too large');
    answers[0]!({ acknowledged: 2, baseOffset: 0, fault: down, refused: [{ index: 1, fault }] });
    expect(await published.acknowledgedLate).toEqual([0, 2]);
    const inTime = await publishTo(writerThat(all), ['r1', 'r2']);
    expect(await inTime.acknowledgedLate).toEqual([]);
  });

  it('is overloaded, and no outage, while the log has this process wait', async () => {
    const writer = writerThat(() => new Promise(() => undefined));
    const { events } = judgedRuns(['r1']);
    const log = { ...logOf(writer), throttledMs: () => 2_500 };
    const published = await publish({ log, events, waitMsMax: 5 });
    expect(published.retry).toEqual([0]);
    expect(published.fault).toMatchObject({
      code: 'overloaded',
      message: 'a quota of the cluster has ingest wait for another 3 s',
    });
  });

  it('treats a writer that throws as a failed partition', async () => {
    const writer = writerThat(() => Promise.reject(new Error('unheard of')));
    const published = await publishTo(writer, ['r1']);
    expect(published).toMatchObject({ acknowledged: 0, retry: [0], fault: { code: 'unavailable' } });
  });
});

describe('answerOf', () => {
  const judge = (body: string) =>
    judgedOf(acceptBatch(Buffer.from(body), { format: 'ndjson', clusterId: 'c1', receivedAtMs: 0 }));
  const valid = eventText();
  const bad = eventText({ run_id: undefined });

  it('is a response when something was acknowledged', () => {
    const judged = judge([valid, bad, valid, valid].join('\n'));
    const answer = answerOf(judged, { acknowledged: 1, normalized: 0, retry: [2, 3], fault: down });
    expect(answer).toEqual({
      kind: 'response',
      retryAfter: true,
      response: {
        accepted: 1,
        rejected: 1,
        retry: 2,
        normalized: 0,
        errors: [judged.rejected[0]!.error],
        errors_unlisted: 0,
        retry_indexes: [[2, 3]],
      },
    });
  });

  it('is a response for an empty body', () => {
    const judged = judge('');
    expect(answerOf(judged, publishedDry(judged))).toMatchObject({ kind: 'response', retryAfter: false });
  });

  it('is all_rejected, with the counts in addition, when no event is valid', () => {
    const judged = judge(`${bad}\n${bad}`);
    expect(answerOf(judged, publishedDry(judged))).toMatchObject({
      kind: 'all_rejected',
      response: {
        accepted: 0,
        rejected: 2,
        error: { code: 'all_rejected', message: expect.stringContaining('run_id is required') },
      },
    });
  });

  it.each([
    ['unavailable', 'log_unavailable'],
    ['overloaded', 'overloaded'],
    ['storage_full', 'storage_full'],
    ['closed', 'closing'],
    ['unusable', 'log_refuses'],
    ['fenced', 'log_unavailable'],
    ['too_large', 'log_refuses'],
  ] as const)(
    'is a fault if nothing was acknowledged: %s as %s, even if some events were rejected',
    (code, expected) => {
      const fault = new TopicIoError(code, 'because');
      const judged = judge(`${valid}\n${bad}`);
      const answer = answerOf(judged, { acknowledged: 0, normalized: 0, retry: [0], fault });
      expect(answer).toMatchObject({ kind: 'fault', code: expected });
    },
  );

  it('lists the first 100 rejected events and counts the others', () => {
    const judged = judge([valid, ...Array.from({ length: 130 }, () => bad)].join('\n'));
    expect(answerOf(judged, publishedDry(judged))).toMatchObject({
      response: { rejected: 130, errors: { length: 100 }, errors_unlisted: 30 },
    });
  });
});

describe('rangesOf', () => {
  it('covers exactly the indexes, with as few ranges as possible', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 60 })), (list) => {
        const indexes = list.sort((a, b) => a - b);
        const ranges = rangesOf(indexes);
        const covered = ranges.flatMap(([first, last]) =>
          Array.from({ length: last - first + 1 }, (_, i) => first + i),
        );
        expect(covered).toEqual(indexes);
        for (const [i, range] of ranges.entries()) {
          if (i > 0) expect(range[0]).toBeGreaterThan(ranges[i - 1]![1] + 1);
        }
      }),
    );
  });
});
