import { setTimeout as sleep } from 'node:timers/promises';
import { decodeRunRecord } from '@runlog/records/run-record';
import { evolve } from '@runlog/run-state/evolve';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { expect, it } from 'vitest';
import { logRecord, logsOf } from '../../services/ingest/src/made-up/otlp-logs.ts';
import { startCluster } from '../support/broker.ts';
import { KafkaIngest } from '../support/kafka-ingest.ts';

/** `BODIES=20` sends 100,000 events or more and kills the broker twice. */
const LONG_BODIES = Number(process.env.BODIES ?? 0);
const BODIES = LONG_BODIES || 4;
const EVENTS_A_BODY = 5_000;
const SENDERS = 4;
const RETRY_MS = 200;

function foldOf(records: readonly LogRecord[]): RunSnapshot | null {
  let state: RunSnapshot | null = null;
  for (const stored of records) {
    const record = decodeRunRecord(stored, 'e');
    if (record.kind === 'unfoldable') throw new Error(record.reason);
    state = evolve(state, record);
  }
  return state;
}

it('log records are each counted once, although the broker is killed while they are sent', async () => {
  const cluster = await startCluster({ count: 1 });
  try {
    await using ingest = await KafkaIngest.start({ brokers: cluster.brokers });
    const bodyOf = (body: number) => {
      const records = Array.from({ length: EVENTS_A_BODY }, (_, at) => logRecord(body * EVENTS_A_BODY + at));
      return JSON.stringify(logsOf(records, { run: 'cut' }));
    };
    let made = 0;
    let isOver = false;
    let stored = 0;
    let refused = 0;
    const send = async (): Promise<void> => {
      // Whatever the speed of the machine, there is something to send while the broker is away.
      while (made < BODIES || !isOver) {
        const body = bodyOf(made);
        made += 1;
        for (;;) {
          const response = await ingest.post('/v1/logs', body);
          await response.arrayBuffer();
          if (response.status === 200) break;
          expect(response.status).toBe(503);
          refused += 1;
          await sleep(RETRY_MS);
        }
        stored += 1;
      }
    };
    const cut = async (after: number): Promise<void> => {
      await expect.poll(() => stored).toBeGreaterThanOrEqual(after);
      await cluster.kill(0, 'SIGKILL');
      await expect.poll(() => refused).toBeGreaterThan(0);
      await cluster.restart(0);
      refused = 0;
    };
    const cuts = async () => {
      await cut(2);
      if (LONG_BODIES > 0) await cut(8);
      isOver = true;
    };
    await Promise.all([cuts(), ...Array.from({ length: SENDERS }, send)]);
    const state = foldOf(await ingest.events());
    expect(state!.total_events_received - state!.duplicates).toBe(made * EVENTS_A_BODY);
    expect([state!.missing, state!.unsure, state!.conflicts]).toEqual([0, 0, 0]);
  } finally {
    await cluster.stop();
  }
});
