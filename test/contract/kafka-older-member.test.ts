import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { type Consumer, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';
import { createTopic } from './contract-context.ts';

const ALL = Array.from({ length: 8 }, (_, partition) => partition);

/**
 * kafkajs's own consumer, which is a member as builds of runlog were that dealt in turn: it has the same protocol, tells
 * nothing of what it holds, and as the leader it leaves aside what others tell.
 */
async function joinAsOlderBuild(where: { group: string; topic: string }) {
  const kafka = new Kafka({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING });
  const consumer: Consumer = kafka.consumer({ groupId: where.group, heartbeatInterval: 500 });
  let latest: { partitions: number[]; isLeader: boolean } = { partitions: [], isLeader: false };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    latest = { partitions: payload.memberAssignment[where.topic] ?? [], isLeader: payload.isLeader };
  });
  let left = false;
  const leave = async () => {
    if (!left) await consumer.disconnect();
    left = true;
  };
  onTestFinished(leave);
  await consumer.connect();
  await consumer.subscribe({ topic: where.topic });
  await consumer.run({ eachMessage: async () => undefined });
  return { latest: () => latest, leave };
}

describe('a group with a member of an older build', () => {
  let io: TopicIo;

  beforeAll(async () => {
    io = await openKafka({ brokers: inject('kafkaBrokers'), clientId: 'mixed', logger: silentLogger });
  });

  afterAll(() => io?.[Symbol.asyncDispose]());

  async function join(where: { group: string; topic: string }) {
    const member = await io.groupMember(where);
    let latest: readonly number[] = [];
    const following = (async () => {
      for await (const { partitions } of member) latest = partitions;
    })();
    onTestFinished(async () => {
      await member[Symbol.asyncDispose]();
      await following;
    });
    return { latest: () => latest };
  }

  it('shares every partition once, whoever leads, while one after the other is replaced', async () => {
    const where = { group: uniqueName('group'), topic: await createTopic(io, { partitions: ALL.length }) };
    const older = await joinAsOlderBuild(where);
    await expect.poll(older.latest).toEqual({ partitions: ALL, isLeader: true });
    const newer = await join(where);
    const shared = () => [...older.latest().partitions, ...newer.latest()].sort((a, b) => a - b);
    await expect.poll(() => [shared(), newer.latest().length]).toEqual([ALL, 4]);
    expect(older.latest().isLeader).toBe(true);

    await older.leave();
    await expect.poll(newer.latest).toEqual(ALL);
    const again = await joinAsOlderBuild(where);
    await expect
      .poll(() => [
        [...again.latest().partitions, ...newer.latest()].sort((a, b) => a - b),
        newer.latest().length,
      ])
      .toEqual([ALL, 4]);
    expect(again.latest().isLeader).toBe(false);
  });
});
