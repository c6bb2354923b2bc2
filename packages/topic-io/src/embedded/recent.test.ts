import { describe, expect, it } from 'vitest';
import { RecentRecords } from './recent.ts';
import { encodeRecords } from './records.ts';

const PLACE = { topicId: 1, partition: 0 };
const NO_LIMITS = { recordsMax: 1_000, bytesMax: 1e9 };

function batch(baseOffset: number, count: number, overrides: { partition?: number; bytes?: number } = {}) {
  const { partition = 0, bytes = 10 } = overrides;
  const records = Array.from({ length: count }, (_, index) => ({
    key: 'k',
    value: Buffer.alloc(bytes, baseOffset + index),
    headers: {},
    timestampMs: 0,
    json: { offset: baseOffset + index },
  }));
  const { encoded } = encodeRecords(records);
  return { topic: 't', topicId: 1, partition, baseOffset, records, encoded };
}

function offsetsOf(answer: ReturnType<RecentRecords['read']>): number[] | null {
  return answer === null ? null : answer.records.map(({ offset }) => offset);
}

describe('the newest records', () => {
  it('are read from any offset among them, across batches, with the parsed values', () => {
    const recent = new RecentRecords();
    recent.add(batch(5, 3));
    recent.add(batch(8, 2));
    const answer = recent.read(PLACE, { fromOffset: 6, ...NO_LIMITS });
    expect(offsetsOf(answer)).toEqual([6, 7, 8, 9]);
    expect(answer?.nextOffset).toBe(10);
    expect(answer?.records[0]).toMatchObject({ value: Buffer.alloc(10, 6), json: { offset: 6 } });
  });

  it.each([
    ['before them', 4],
    ['behind them', 10],
  ])('answer nothing %s', (_, fromOffset) => {
    const recent = new RecentRecords();
    recent.add(batch(5, 5));
    expect(recent.read(PLACE, { fromOffset, ...NO_LIMITS })).toBeNull();
  });

  it('are of one partition of one topic', () => {
    const recent = new RecentRecords();
    recent.add(batch(0, 5));
    expect(recent.read({ topicId: 1, partition: 1 }, { fromOffset: 0, ...NO_LIMITS })).toBeNull();
    expect(recent.read({ topicId: 2, partition: 0 }, { fromOffset: 0, ...NO_LIMITS })).toBeNull();
  });

  it('keep to the limits of an answer, and give at least one', () => {
    const recent = new RecentRecords();
    recent.add(batch(0, 5));
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 1, recordsMax: 2, bytesMax: 1e9 }))).toEqual([1, 2]);
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 1, recordsMax: 9, bytesMax: 1 }))).toEqual([1]);
  });

  it('begin anew after a gap', () => {
    const recent = new RecentRecords();
    recent.add(batch(0, 5));
    recent.add(batch(7, 2));
    expect(recent.read(PLACE, { fromOffset: 3, ...NO_LIMITS })).toBeNull();
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 7, ...NO_LIMITS }))).toEqual([7, 8]);
  });

  it('lose the oldest at the bound, whichever partition it belongs to', () => {
    const recent = new RecentRecords({ bytesMax: 5_000 });
    recent.add(batch(0, 2, { partition: 1, bytes: 1_000 }));
    recent.add(batch(0, 2, { bytes: 1_000 }));
    recent.add(batch(2, 2, { bytes: 1_000 }));
    expect(recent.read({ topicId: 1, partition: 1 }, { fromOffset: 0, ...NO_LIMITS })).toBeNull();
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 0, ...NO_LIMITS }))).toEqual([0, 1, 2, 3]);
    recent.add(batch(4, 4, { bytes: 1_000 }));
    expect(recent.read(PLACE, { fromOffset: 3, ...NO_LIMITS })).toBeNull();
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 4, ...NO_LIMITS }))).toEqual([4, 5, 6, 7]);
  });

  it('are dropped batch by batch when every reader has passed them', () => {
    const recent = new RecentRecords();
    recent.add(batch(0, 5));
    recent.add(batch(5, 5));
    recent.dropBelow(PLACE, 7);
    expect(recent.read(PLACE, { fromOffset: 4, ...NO_LIMITS })).toBeNull();
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 7, ...NO_LIMITS }))).toEqual([7, 8, 9]);
    recent.dropBelow(PLACE, Number.POSITIVE_INFINITY);
    expect(recent.read(PLACE, { fromOffset: 7, ...NO_LIMITS })).toBeNull();
    recent.add(batch(10, 1));
    expect(offsetsOf(recent.read(PLACE, { fromOffset: 10, ...NO_LIMITS }))).toEqual([10]);
  });
});
