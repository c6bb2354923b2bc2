import { EVENT_BYTES_MAX } from '@runlog/schema/limits';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ByteBudget } from '../../services/ingest/src/byte-budget.ts';
import { logRecord, logsOf } from '../../services/ingest/src/made-up/otlp-logs.ts';
import { PUBLISH_MS_MAX } from '../../services/ingest/src/publish.ts';
import { BodyItems } from '../../services/ingest/src/sender/prepare-item.ts';
import { eventsDoor, logsDoor } from '../../services/ingest/src/sender/sender-doors.ts';
import type { SenderSource } from '../../services/ingest/src/sender/sender-source.ts';
import { type StoredBody, storeBody } from '../../services/ingest/src/sender/store-body.ts';
import { StoredIds } from '../../services/ingest/src/sender/stored-ids.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { FaultyLog } from '../support/faulty-log.ts';

type Door = 'logs' | 'sender' | 'ndjson' | 'text';

/** One process of ingest: it forgets everything when it is killed. */
class Process {
  readonly #stored = new StoredIds();
  /** Resolves when the log has answered everything. */
  settled: Promise<unknown> = Promise.resolve();

  attempt(log: FaultyLog, body: Buffer, door: Door): Promise<StoredBody> {
    const source = (
      door === 'logs'
        ? logsDoor.sourceOf(body, { format: 'json', defaultRunId: 'default' })
        : eventsDoor.sourceOf(body, { format: door === 'sender' ? 'json' : door, defaultRunId: 'default' })
    ) as SenderSource;
    const receivedAtMs = Date.now();
    return storeBody({
      ...{ source, receivedAtMs, keyId: null, log: log.openLog(), stored: this.#stored },
      items: new BodyItems({
        ...{ body, reading: door, total: source.total, clusterId: 'c1', takesCluster: false, receivedAtMs },
        stored: this.#stored,
      }),
      budget: new ByteBudget({ bytesMax: 64 * 1024 * 1024 }),
      onPending: (work) => {
        this.settled = Promise.all([this.settled, work]);
      },
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

/** How the events of a run are written: as lines without an id, as such with one, or as complete events. */
type Form = 'line' | 'line with id' | 'complete';
const forms: readonly Form[] = ['line', 'line with id', 'complete'];

/** Events whose content, and so whose id, is the same in whatever body they come. */
function cutOf(form: Form, from: number, to: number): Buffer {
  const events: unknown[] = [];
  for (let n = from; n < to; n += 1) {
    const timestamp = new Date(Date.UTC(2026, 0, 3) + n).toISOString().replace('Z', '123Z');
    const event = { run_id: 'a', event_type: 'STEP' };
    if (form === 'line') events.push({ ...event, timestamp, n });
    else if (form === 'line with id') events.push({ ...event, event_id: `e${n}`, n });
    else {
      const nulls = n % 3 === 0 && { emitter_id: null };
      events.push({ ...event, timestamp, event_id: `e${n}`, ...nulls, data: { n } });
    }
  }
  return Buffer.from(JSON.stringify(events));
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

  it('count once what the log acknowledged too late, and comes again cut in another way', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
      const process = new Process();
      let release = () => {};
      const answer = new Promise<void>((resolve) => {
        release = resolve;
      });
      const append = log.append.bind(log);
      log.append = async (batch) => {
        const result = await append(batch);
        await answer;
        return result;
      };
      const first = process.attempt(log, cutOf('complete', 0, 100), 'sender');
      await vi.advanceTimersByTimeAsync(PUBLISH_MS_MAX);
      expect((await first).fault).toMatchObject({ code: 'unavailable' });
      release();
      await process.settled;
      await process.attempt(log, cutOf('complete', 0, 60), 'sender');
      await process.attempt(log, cutOf('complete', 60, 100), 'sender');
      expect(log.countedIds()).toHaveLength(100);
    } finally {
      vi.useRealTimers();
    }
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

  it.each(forms)('lose nothing, however they are cut, whoever takes them and is killed: %s', async (form) => {
    const cut = fc.tuple(fc.nat(600), fc.integer({ min: 1, max: 400 }), fc.nat(2));
    const plans = fc.record({
      cuts: fc.array(cut, { minLength: 2, maxLength: 8 }),
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      faultShare: fc.constantFrom(0, 0.5),
      killShare: fc.constantFrom(0, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ cuts, seed, faultShare, killShare }) => {
        const random = new SeededRandom(seed).next;
        const log = new FaultyLog({ random, faultShare });
        const workers = [new Process(), new Process(), new Process()];
        const sent = new Set<number>();
        for (const [from, count, first] of cuts) {
          for (let attempt = first; ; attempt += 1) {
            const { fault } = await workers[attempt % 3]!.attempt(
              log,
              cutOf(form, from, from + count),
              'sender',
            );
            if (random() < killShare) workers[attempt % 3] = new Process();
            if (fault === null) break;
          }
          for (let n = from; n < from + count; n += 1) sent.add(n);
        }
        expect(new Set(log.countedIds()).size).toBe(sent.size);
        const { missing, conflicts, missing_is_exact } = log.runs().get('c1/a/default')!;
        expect([missing, conflicts, missing_is_exact]).toEqual([0, 0, true]);
      }),
      { numRuns: 8 },
    );
  });

  it('lose nothing if a part comes as another body after a kill between two attempts', async () => {
    const numbers = [0.9, 0.9, 0.1, 0, 0];
    const log = new FaultyLog({ random: () => numbers.shift() ?? 0.9, faultShare: 0.2 });
    const body = cutOf('line', 0, 3_000);
    expect((await new Process().attempt(log, body, 'sender')).fault).not.toBeNull();
    expect(log.countedIds()).toHaveLength(1_000);
    const after = new Process();
    await after.attempt(log, cutOf('line', 0, 700), 'sender');
    await after.attempt(log, body, 'sender');
    expect(new Set(log.countedIds()).size).toBe(3_000);
  });

  it.each(forms)('are known to another process as a whole: %s', async (form) => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    await new Process().attempt(log, cutOf(form, 0, 3_000), 'sender');
    await new Process().attempt(log, cutOf(form, 0, 3_000), 'sender');
    expect(log.countedIds()).toHaveLength(3_000);
  });

  it.each(forms)('of 100 are counted once, although another worker gets each again: %s', async (form) => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    const workers = [new Process(), new Process(), new Process()];
    for (const shift of [0, 1, 2]) {
      for (let at = 0; at < 30; at += 1)
        await workers[(at + shift) % 3]!.attempt(log, cutOf(form, at * 100, at * 100 + 100), 'sender');
    }
    expect(log.countedIds()).toHaveLength(3_000);
    const run = log.runs().get('c1/a/default')!;
    expect([run.missing, run.unsure, run.conflicts]).toEqual([0, 0, 0]);
  });

  it.each<[number, number, readonly Form[]]>([
    // The newest 512 bodies of more than 16 events, and 1,024 events of smaller ones.
    [17, 511, ['complete']],
    [100, 20, forms],
    [16, 63, forms],
  ])('of %i events are known after a kill with %i others between', async (count, others, of) => {
    for (const form of of) {
      const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
      const before = new Process();
      for (let at = 0; at <= others; at += 1)
        await before.attempt(log, cutOf(form, at * count, (at + 1) * count), 'sender');
      await new Process().attempt(log, cutOf(form, 0, count), 'sender');
      expect(log.countedIds()).toHaveLength((others + 1) * count);
    }
  });

  it.each([16, 50, 200])('hold each id once, although %i lines name each twice', async (count) => {
    const lines = Array.from({ length: count }, (_, n) => ({
      ...{ run_id: 'a', event_type: 'STEP', event_id: `e${n % (count / 2)}`, n },
    }));
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    for (let times = 0; times < 2; times += 1)
      await new Process().attempt(log, Buffer.from(JSON.stringify(lines)), 'sender');
    expect(log.countedIds()).toHaveLength(count / 2);
    expect(log.runs().get('c1/a/default')).toMatchObject({ missing: 0, conflicts: 0 });
  });

  it('lose nothing if the same bytes are read in another way', async () => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    // Of a body that is read as text, what is no object is an event too.
    const lines = Array.from({ length: 60 }, (_, n) =>
      n % 2 === 0 ? JSON.stringify({ run_id: 'default', event_type: 'STEP', event_id: `e${n}` }) : 'words',
    );
    const body = Buffer.from(lines.join('\n'));
    await new Process().attempt(log, body, 'ndjson');
    await new Process().attempt(log, body, 'text');
    expect(new Set(log.countedIds()).size).toBe(60);
  });

  it('keep the bytes of a complete event, and leave one alone that has its own number', async () => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    const event = (n: number, more: string) =>
      `{ "run_id":"a", "event_type":"STEP","event_id":"e${n}","timestamp":"2026-01-03T00:00:00Z"${more},"data":{"n": 1.0} }`;
    const numbered = event(0, ',"emitter_id":"mine","emitter_seq":1');
    const half = event(1, ',"emitter_id":null,"emitter_seq":null');
    const rest = Array.from({ length: 20 }, (_, at) => event(at + 2, ''));
    await new Process().attempt(log, Buffer.from([numbered, half, ...rest].join('\n')), 'sender');
    const values = log.values();
    expect(values[0]).toBe(numbered);
    const emitter = JSON.parse(values[1]!).emitter_id as string;
    expect(values[1]).toBe(event(1, `,"emitter_id":"${emitter}","emitter_seq":1`));
    expect(values[2]).toBe(event(2, '').replace('{', `{"emitter_id":"${emitter}","emitter_seq":2,`));
    expect(Object.keys(log.runs().get('c1/a/default')!.emitters)).toEqual(['mine', emitter]);
  });

  it('keep a complete event without a number if there is no room for one', async () => {
    const log = new FaultyLog({ random: () => 0.5, faultShare: 0 });
    const [head, tail] = [
      '{"run_id":"a","event_type":"STEP","event_id":"e0","timestamp":"2026-01-03T00:00:00Z","message":"',
      '"}',
    ];
    const large = head + 'x'.repeat(EVENT_BYTES_MAX - head.length - tail.length) + tail;
    const rest = JSON.parse(cutOf('complete', 1, 40).toString()) as unknown[];
    const body = Buffer.from([large, ...rest.map((event) => JSON.stringify(event))].join('\n'));
    for (let times = 0; times < 2; times += 1) await new Process().attempt(log, body, 'sender');
    expect(log.countedIds()).toHaveLength(40);
    expect(log.runs().get('c1/a/default')).toMatchObject({ missing: 0, conflicts: 0 });
  });
});
