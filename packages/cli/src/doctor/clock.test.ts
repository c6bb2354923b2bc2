import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { expect, it } from 'vitest';
import { clockSamples, judgeClocks, judgeRoom } from './clock.ts';

const access = { brokers: ['b:9092'], commandConfig: false };
const events = (settings: Record<string, string>): TopicFacts => ({
  ...{ kind: 'found', name: 'run-events', id: null, partitions: [], settings },
});

it('believes the quickest record of each partition', () => {
  const sent = [
    { key: 'slow', partition: 0, sentMs: 1_000, answeredMs: 1_400 },
    { key: 'quick', partition: 0, sentMs: 2_000, answeredMs: 2_010 },
    { key: 'lost', partition: 1, sentMs: 3_000, answeredMs: 3_010 },
  ];
  const dated = [
    { key: 'slow', timestampMs: 1_390 },
    { key: 'quick', timestampMs: 1_505 },
  ];
  expect(clockSamples(sent, dated)).toEqual([{ partition: 0, aheadMs: 500, boundMs: 6 }]);
});

it.each([
  [{ aheadMs: 20, boundMs: 10 }, {}, 'ok'],
  [{ aheadMs: -1_900, boundMs: 10 }, {}, 'ok'],
  // So much may be due to the network alone.
  [{ aheadMs: 9_000, boundMs: 8_000 }, {}, 'ok'],
  [{ aheadMs: -3_000, boundMs: 10 }, {}, 'warning'],
  [{ aheadMs: 1_500, boundMs: 10 }, { 'message.timestamp.after.max.ms': '2000' }, 'warning'],
  [{ aheadMs: 4_000_000, boundMs: 10 }, { 'message.timestamp.after.max.ms': '3600000' }, 'failed'],
  [{ aheadMs: -4_000_000, boundMs: 10 }, { 'message.timestamp.after.max.ms': '3600000' }, 'warning'],
  [{ aheadMs: -70_000, boundMs: 10 }, { 'message.timestamp.before.max.ms': '60000' }, 'failed'],
  [
    { aheadMs: 4_000_000, boundMs: 10 },
    { 'message.timestamp.after.max.ms': '3600000', 'message.timestamp.type': 'LogAppendTime' },
    'warning',
  ],
])('judges %j beside %j as %s', (reading, settings, status) => {
  const leaders = new Map([[0, 7]]);
  const found = judgeClocks([{ partition: 0, ...reading }], { leaders, topics: [events(settings)], access });
  expect(found).toMatchObject([{ name: 'broker 7', status }]);
  expect(found[0]!.remedy?.[0]).toEqual(
    status === 'failed' ? expect.stringContaining('--add-config message.timestamp.') : undefined,
  );
});

it('warns of a topic that leaves no room for clocks that differ', () => {
  expect(judgeRoom([events({ 'message.timestamp.after.max.ms': '3600000' })], access)).toEqual([]);
  expect(judgeRoom([events({ 'message.timestamp.after.max.ms': '100' })], access)).toMatchObject([
    { status: 'warning', name: 'run-events: message.timestamp.after.max.ms' },
  ]);
});
