import { topicNames } from '@runlog/schema/log/topics';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { describe, expect, inject, it } from 'vitest';
import { epochCompleted } from '../support/event-factory.ts';
import { FOREIGN_TIMEOUT_MS, openForeignTransaction } from '../support/foreign-transaction.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const KEY = 'local/held/default';
const PARTITIONS = 2;

async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = text.split('\n').filter((line) => line.startsWith(name));
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function linesOf(service: ServiceProcess, message: string): Record<string, unknown>[] {
  const lines = service.output.split('\n').filter((line) => line.includes(`"msg":"${message}"`));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const HELD = 'an open transaction of another producer holds events back; nobody sees them until it ends';
const OVER = 'no open transaction holds events back any more';

describe("another producer's open transaction on the events", () => {
  it('shows as lag, in readiness, and in one line that says who it is, until it ends', async () => {
    const brokers = inject('kafkaBrokers');
    const prefix = `${uniqueName('held')}-`;
    const topic = topicNames(prefix).events;
    const env = {
      ...{ KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix },
      RUNLOG_PARTITIONS: String(PARTITIONS),
    };
    await using ingest = await ServiceProcess.start('ingest', env);
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using gateway = await ServiceProcess.start('gateway', env);
    const page = gateway.addresses.gateway!;
    const health = aggregator.addresses.aggregator!;
    let sent = 0;
    const publish = async (count: number) => {
      const events = Array.from({ length: count }, () => {
        sent += 1;
        return epochCompleted({ event_id: `held-${sent}`, run_id: 'held' });
      });
      const answer = await fetch(`${ingest.addresses.ingest}/v1/events`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify(events),
      });
      expect(answer.status).toBe(200);
    };
    const shown = async () => {
      const response = await fetch(`${page}/v1/runs/${KEY}`);
      return response.status === 200
        ? ((await response.json()) as RunDocument).total_events_received
        : response.status;
    };
    const readiness = async (url: string) => (await fetch(`${url}/readyz`)).json();
    const live = { status: 'ready', feed: { state: 'live', behind_records: 0 } };
    await publish(5);
    await expect.poll(shown).toBe(5);

    await using foreign = await openForeignTransaction({
      ...{ brokers, topic, partition: partitionOf(KEY, PARTITIONS), key: KEY },
    });
    await publish(20);
    // The record of the open transaction, and what came after it.
    const heldBack = { since: expect.any(String), records: 21 };
    const held = { status: 'ready', feed: { state: 'live', behind_records: 21, held_back: heldBack } };
    for (const url of [page, health]) await expect.poll(() => readiness(url)).toEqual(held);
    expect(await shown()).toBe(5);
    expect(await metricOf(page, 'runlog_gateway_behind_records')).toBe(21);
    expect(await metricOf(page, 'runlog_gateway_held_back_records')).toBe(21);
    expect(await metricOf(health, 'runlog_aggregator_lag_offsets')).toBe(21);
    expect(await metricOf(health, 'runlog_aggregator_held_back_records')).toBe(21);
    for (const service of [aggregator, gateway]) {
      await expect.poll(() => linesOf(service, HELD)).not.toEqual([]);
      const [line] = linesOf(service, HELD);
      const { transactionalId, partition } = foreign;
      expect(line).toMatchObject({ topic, transactionalId, partitions: [partition] });
      expect(line!.remedy).toContain(`forceTerminateTransaction --transactionalId ${transactionalId}`);
      expect(line!.endsWithinMs).toBeGreaterThan(0);
      expect(line!.endsWithinMs).toBeLessThanOrEqual(FOREIGN_TIMEOUT_MS);
    }

    await foreign.abort();
    await expect.poll(shown).toBe(25);
    for (const url of [page, health]) await expect.poll(() => readiness(url)).toEqual(live);
    expect(await metricOf(page, 'runlog_gateway_held_back_records')).toBe(0);
    for (const service of [aggregator, gateway]) {
      await expect.poll(() => linesOf(service, OVER)).toHaveLength(1);
    }
  });
});
