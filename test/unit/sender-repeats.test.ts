import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../services/ingest/src/byte-budget.ts';
import { logRecord, logsOf } from '../../services/ingest/src/made-up/otlp-logs.ts';
import { BodyItems } from '../../services/ingest/src/sender/prepare-item.ts';
import { eventsDoor, logsDoor } from '../../services/ingest/src/sender/sender-doors.ts';
import type { SenderSource } from '../../services/ingest/src/sender/sender-source.ts';
import { type StoredBody, storeBody } from '../../services/ingest/src/sender/store-body.ts';
import { StoredIds } from '../../services/ingest/src/sender/stored-ids.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { FaultyLog } from '../support/faulty-log.ts';

type Door = 'logs' | 'sender';

/** One process of ingest: it forgets everything when it is killed. */
class Process {
  readonly #stored = new StoredIds();

  attempt(log: FaultyLog, body: Buffer, door: Door): Promise<StoredBody> {
    const source = (
      door === 'logs'
        ? logsDoor.sourceOf(body, { format: 'json', defaultRunId: 'default' })
        : eventsDoor.sourceOf(body, { format: 'json', defaultRunId: 'default' })
    ) as SenderSource;
    const receivedAtMs = Date.now();
    return storeBody({
      ...{ source, receivedAtMs, keyId: null, log: log.openLog(), stored: this.#stored },
      items: new BodyItems({
        ...{ body, total: source.total, clusterId: 'c1', takesCluster: false, receivedAtMs },
        stored: this.#stored,
      }),
      budget: new ByteBudget({ bytesMax: 64 * 1024 * 1024 }),
      onPending: () => undefined,
    });
  }
}

/** Lines of one second, among which some are equal, and events of several runs. */
function bodyOf(door: Door, from: number, count: number): Buffer {
  const numbers = Array.from({ length: count }, (_, at) => from + at);
  if (door === 'logs') {
    const records = numbers.map((n) =>
      logRecord(n % 7 === 0 ? 0 : n, {
        attributes: [{ key: 'run', value: { stringValue: n % 5 === 0 ? 'b' : 'a' } }],
      }),
    );
    return Buffer.from(JSON.stringify(logsOf(records, { batch: String(from) })));
  }
  const objects = numbers.map((n) => ({
    ...{ type: 'line', run: n % 5 === 0 ? 'b' : 'a', time: '2026-01-03T23:59:47Z' },
    ...{ text: n % 7 === 0 ? 'the same' : `line ${n}`, batch: from },
  }));
  return Buffer.from(JSON.stringify(objects));
}

/** Sends the bodies one by one, each until it is stored, while the log fails and the process is killed. */
async function sendAll(
  door: Door,
  plan: { bodies: readonly number[]; random: () => number; faultShare: number; killShare: number },
): Promise<FaultyLog> {
  const { random } = plan;
  const log = new FaultyLog({ random, faultShare: plan.faultShare });
  let process = new Process();
  let from = 0;
  for (const count of plan.bodies) {
    const body = bodyOf(door, from, count);
    for (;;) {
      const { fault } = await process.attempt(log, body, door);
      if (random() < plan.killShare) process = new Process();
      if (fault === null) break;
    }
    // An answer that got lost.
    if (random() < 0.2) await process.attempt(log, body, door);
    from += count;
  }
  return log;
}

describe('bodies that are sent until they are stored', () => {
  it.each<Door>(['logs', 'sender'])('count nothing twice and lose nothing: %s', async (door) => {
    const plans = fc.record({
      bodies: fc.array(fc.oneof(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 129, max: 1_500 })), {
        ...{ minLength: 1, maxLength: 3 },
      }),
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      faultShare: fc.constantFrom(0, 0.3, 0.6),
      killShare: fc.constantFrom(0, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ bodies, seed, faultShare, killShare }) => {
        const random = new SeededRandom(seed).next;
        const log = await sendAll(door, { bodies, random, faultShare, killShare });
        const runs = [...log.runs().values()];
        const distinct = runs.reduce((sum, run) => sum + run.total_events_received - run.duplicates, 0);
        expect(distinct).toBe(bodies.reduce((sum, count) => sum + count, 0));
        for (const run of runs) expect([run.missing, run.unsure, run.conflicts]).toEqual([0, 0, 0]);
      }),
      { numRuns: 4 },
    );
  });

  it('count once what is stored in part and comes again cut in another way', async () => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    const process = new Process();
    await process.attempt(log, bodyOf('logs', 1, 6), 'logs');
    const all = Array.from({ length: 20 }, (_, n) => logRecord(n));
    const send = (records: readonly Record<string, unknown>[]) =>
      process.attempt(log, Buffer.from(JSON.stringify(logsOf(records))), 'logs');
    await send(all.slice(0, 10));
    await send(all.slice(5, 20));
    await send(all);
    expect(log.runs().get('c1/default/default')?.total_events_received).toBe(20);
  });

  it.each([
    [100, 250],
    [17, 400],
    [16, 50],
    [1, 900],
  ])('of %i events are known to another process after %i others of the run', async (count, others) => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    const before = new Process();
    for (let body = 0; body <= others; body += 1)
      await before.attempt(log, bodyOf('logs', body * count, count), 'logs');
    await new Process().attempt(log, bodyOf('logs', 0, count), 'logs');
    const runs = [...log.runs().values()];
    const distinct = runs.reduce((sum, run) => sum + run.total_events_received - run.duplicates, 0);
    expect(distinct).toBe((others + 1) * count);
    for (const run of runs) expect([run.missing, run.unsure, run.conflicts]).toEqual([0, 0, 0]);
  });

  it('count a body of 10,000 events once, although another process took half of it', async () => {
    for (const door of ['logs'] as const) {
      const body = bodyOf(door, 0, 10_000);
      const numbers = [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.5, 0.5];
      const log = new FaultyLog({ random: () => numbers.shift() ?? 0.9, faultShare: 0.2 });
      expect((await new Process().attempt(log, body, door)).fault).not.toBeNull();
      expect((await new Process().attempt(log, body, door)).fault).toBeNull();
      const runs = [...log.runs().values()];
      expect(runs.reduce((sum, run) => sum + run.total_events_received - run.duplicates, 0)).toBe(10_000);
      expect(runs.reduce((sum, run) => sum + run.duplicates, 0)).toBeGreaterThan(1_024);
      expect(runs.map(({ missing }) => missing)).toEqual([0, 0]);
    }
  });
});
