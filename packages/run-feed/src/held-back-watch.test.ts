import type { OpenTransaction } from '@runlog/topic-io/topic-io';
import { describe, expect, it } from 'vitest';
import { HELD_BACK_AFTER_MS, HeldBackWatch } from './held-back-watch.ts';

const START_MS = Date.parse('2026-01-04T00:00:00Z');

function setUp(by: (partition: number) => OpenTransaction[] = () => []) {
  const lines: { level: string; fields: Record<string, unknown> }[] = [];
  const asked: number[] = [];
  let nowMs = START_MS;
  const line = (level: string) => (fields: object) =>
    void lines.push({ level, fields: fields as Record<string, unknown> });
  const watch = new HeldBackWatch({
    topic: 'run-events',
    now: () => nowMs,
    openTransactions: async ({ partition }) => {
      asked.push(partition);
      return by(partition);
    },
    logger: { debug: () => undefined, info: line('info'), warn: line('warn'), error: line('error') },
  });
  const answer = async (partition: number, stableEnd: number, highWatermark: number) => {
    watch.answered({ partition, stableEnd, highWatermark });
    await new Promise(setImmediate);
  };
  return { watch, lines, asked, answer, pass: (ms: number) => (nowMs += ms) };
}

const transaction: OpenTransaction = {
  ...{ startOffset: 10, heldBack: 5, producerId: '4000', transactionalId: 'billing-7' },
  ...{ openedMs: START_MS - 1_000, timeoutMs: 60_000, remedy: 'stop it' },
};

describe('a watch of what open transactions hold back', () => {
  it('tells nothing of transactions that end soon, however many follow each other', async () => {
    const log = setUp();
    for (let stableEnd = 0; stableEnd < 50; stableEnd += 1) {
      await log.answer(0, stableEnd, stableEnd + 5);
      log.pass(HELD_BACK_AFTER_MS - 100);
      expect(log.watch.heldBack).toBeNull();
    }
    await log.answer(0, 60, 60);
    expect([log.lines, log.asked]).toEqual([[], []]);
  });

  it('says once who holds which partitions back, and when that is over', async () => {
    const log = setUp(() => [transaction]);
    await log.answer(3, 10, 15);
    await log.answer(4, 20, 21);
    log.pass(HELD_BACK_AFTER_MS);
    await log.answer(3, 10, 18);
    expect(log.watch.heldBack).toEqual({ sinceMs: START_MS, records: 9 });
    for (let second = 0; second < 20; second += 1) {
      log.pass(1_000);
      await log.answer(3, 10, 18);
      await log.answer(4, 20, 21);
    }
    expect(log.asked).toEqual([3, 4]);
    expect(log.lines).toEqual([
      {
        level: 'warn',
        fields: {
          ...{ topic: 'run-events', partitions: [3, 4], startOffset: 10, records: 9 },
          ...{ heldMs: HELD_BACK_AFTER_MS, transactionalId: 'billing-7', producerId: '4000' },
          ...{ openedMs: 3_000, endsWithinMs: 57_000, remedy: 'stop it' },
        },
      },
    ]);
    await log.answer(3, 19, 19);
    expect(log.lines).toHaveLength(1);
    await log.answer(4, 22, 22);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect(log.watch.heldBack).toBeNull();
  });

  it('says it again each minute, and that the log does not tell who it is', async () => {
    const log = setUp();
    for (let second = 0; second <= 130; second += 1) {
      await log.answer(0, 10, 12);
      log.pass(1_000);
    }
    expect(log.lines.map(({ fields }) => fields.producerId)).toEqual([null, null, null]);
  });

  it('forgets a partition that is no longer read, without a word', async () => {
    const log = setUp(() => [transaction]);
    await log.answer(0, 10, 12);
    log.pass(HELD_BACK_AFTER_MS);
    await log.answer(0, 10, 12);
    log.watch.forget(0);
    expect(log.watch.heldBack).toBeNull();
    expect(log.lines).toHaveLength(1);
  });
});
