import { decodeRunRecord } from '@runlog/records/run-record';
import { ATTEMPTS_MAX, EMITTERS_MAX, LANDMARKS_MAX, SNAPSHOT_BYTES_MAX } from '@runlog/schema/limits';
import { type RunSnapshot, runSnapshotSchema } from '@runlog/schema/run/snapshot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchCompleted,
  epochCompleted,
  foldEvents,
  gateEvaluated,
  otherEvent,
  ppoUpdated,
  recordOf,
  seedFossilized,
  TEST_EPOCH,
  trainingStarted,
} from '../../../test/support/event-factory.ts';
import { countersOf, plainEntries, recording } from '../../../test/support/recordings.ts';
import { evolve } from './evolve.ts';
import type { RunRecord } from './run-record.ts';

/** A recording's records, as ingest stores them: bare NaN as text. */
function recordsOf(name: 'short' | 'one-env'): RunRecord[] {
  return recording(name).lines.map((line, seq) => {
    const value = line.replace(/\bNaN\b/g, '"NaN"');
    const { run_id, group_id } = JSON.parse(value) as { run_id: string; group_id: string };
    const record = decodeRunRecord(
      {
        offset: seq,
        key: `c1/${run_id}/${group_id}`,
        value: Buffer.from(value),
        headers: { received_at: new Date(1_767_484_800_000 + seq * 250).toISOString() },
        timestampMs: 0,
      },
      TEST_EPOCH,
    );
    if (record.kind === 'unfoldable') throw new Error(record.reason);
    return record;
  });
}

function fold(records: readonly RunRecord[], state: RunSnapshot | null = null): RunSnapshot | null {
  return records.reduce<RunSnapshot | null>((folded, record) => evolve(folded, record), state);
}

describe('evolve on recordings', () => {
  it.each(['short', 'one-env'] as const)('gives the log and counters of the original for %s', (name) => {
    const { expected } = recording(name);
    const byGroup = new Map<string, RunRecord[]>();
    for (const record of recordsOf(name)) {
      byGroup.set(record.run.group_id, [...(byGroup.get(record.run.group_id) ?? []), record]);
    }
    expect([...byGroup.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [group, records] of byGroup) {
      const state = fold(records)!;
      expect(plainEntries(state.event_log)).toEqual(expected[group]!.event_log);
      expect(countersOf(state as Parameters<typeof countersOf>[0])).toEqual(countersOf(expected[group]!));
      expect(JSON.stringify(runSnapshotSchema.parse(state))).toBe(JSON.stringify(state));
      expect(state.partial).toBe(false);
    }
  });

  it('gives the same state for any cut into snapshot and tail, through JSON', () => {
    const records = recordsOf('one-env');
    const whole = JSON.stringify(fold(records));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: records.length }), (cut) => {
        const snapshot = JSON.parse(JSON.stringify(fold(records.slice(0, cut)))) as RunSnapshot | null;
        expect(JSON.stringify(fold(records.slice(cut), snapshot))).toBe(whole);
      }),
      { numRuns: 40 },
    );
  });

  it('ignores any redelivered record', () => {
    const records = recordsOf('one-env');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(records.length - 1), fc.nat(records.length - 1)), { maxLength: 20 }),
        (repeats) => {
          const delivered: RunRecord[] = [];
          for (const [at, record] of records.entries()) {
            delivered.push(record);
            for (const [when, which] of repeats)
              if (when === at && which <= at) delivered.push(records[which]!);
          }
          expect(JSON.stringify(fold(delivered))).toBe(JSON.stringify(fold(records)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not care about the order of keys in an event', () => {
    const records = recordsOf('short');
    const turned = records.map((record) =>
      record.kind === 'event'
        ? {
            ...record,
            event: Object.fromEntries(Object.entries(record.event).reverse()) as typeof record.event,
          }
        : record,
    );
    expect(JSON.stringify(fold(turned))).toBe(JSON.stringify(fold(records)));
  });
});

describe('evolve', () => {
  it('returns the same reference for a record at or below its position', () => {
    const state = foldEvents([trainingStarted(), epochCompleted()]);
    expect(evolve(state, recordOf(epochCompleted(), { seq: 1 }))).toBe(state);
    expect(evolve(state, recordOf(epochCompleted(), { seq: 0 }))).toBe(state);
  });

  it('does not change the state it is given', () => {
    const state = foldEvents([trainingStarted(), epochCompleted({ emitter_id: 'e', emitter_seq: 5 })]);
    const before = JSON.stringify(state);
    evolve(state, recordOf(batchCompleted({ emitter_id: 'e', emitter_seq: 3 }), { seq: 9 }));
    expect(JSON.stringify(state)).toBe(before);
  });

  it('keeps the newest 100 entries and says where the newest evicted one was', () => {
    const state = foldEvents(Array.from({ length: 103 }, () => epochCompleted()));
    expect(state.event_log).toHaveLength(100);
    expect(state.event_log[0]!.seq).toBe(3);
    expect(state.evicted_seq).toBe(2);
    expect(state.first_seq).toBe(0);
  });

  it('keeps milestones through a flood of epochs', () => {
    const state = foldEvents([seedFossilized(), ...Array.from({ length: 500 }, () => epochCompleted())]);
    expect(state.milestones.map((entry) => entry.event_type)).toEqual(['SEED_FOSSILIZED']);
    expect(state.event_log.every((entry) => entry.event_type === 'EPOCH_COMPLETED')).toBe(true);
  });

  it('gives an entry the episode before its event', () => {
    const state = foldEvents([
      trainingStarted({ data: { start_episode: 7 } }),
      batchCompleted(),
      epochCompleted(),
    ]);
    expect(state.event_log.map((entry) => entry.episode)).toEqual([0, 7, 4]);
  });

  it('never shows the unknown environment -1', () => {
    const state = foldEvents([
      epochCompleted({ data: { env_id: -1 } }),
      otherEvent('PLATEAU', { data: { env_id: 3 } }),
    ]);
    expect(state.event_log.map((entry) => entry.env_id)).toEqual([null, 3]);
  });

  it('writes the clock in UTC', () => {
    const at = (timestamp: string) => foldEvents([epochCompleted({ timestamp })]).event_log[0]!.timestamp;
    expect(at('2026-01-03T23:59:47.900000+00:00')).toBe('23:59:47');
    expect(at('2026-01-03T23:59:47Z')).toBe('23:59:47');
    expect(at('2026-01-03T23:59:47+02:00')).toBe('21:59:47');
  });

  it('takes the slot of the envelope over that of the payload', () => {
    const slot = (slot_id: string | null) =>
      foldEvents([seedFossilized({ slot_id })]).event_log[0]!.metadata.slot_id;
    expect(slot('r9c9')).toBe('r9c9');
    expect(slot('')).toBe('r0c0');
    expect(slot(null)).toBe('r0c0');
  });

  it('says what a gate failed at, and only then', () => {
    const [failed, passed] = foldEvents([
      gateEvaluated({ data: { message: 'Alpha below threshold' } }),
      gateEvaluated({ data: { passed: true, checks_failed: [], message: '' } }),
    ]).event_log;
    expect(failed!.metadata).toMatchObject({
      result: 'FAIL',
      failed_checks: 2,
      detail: 'Alpha below threshold',
    });
    expect(Object.keys(passed!.metadata).sort()).toEqual([
      'event_id',
      'gate',
      'result',
      'slot_id',
      'target_stage',
    ]);
  });

  it('does not take figures from a skipped PPO update', () => {
    const state = foldEvents([ppoUpdated(), ppoUpdated({ data: { skipped: true, entropy: 0 } })]);
    expect(state.ppo.entropy).toBe(1.2);
    expect(state.event_log[1]!.message).toBe('PPO skipped');
  });

  it('reads a figure that is not a number as not known', () => {
    const state = foldEvents([batchCompleted({ data: { avg_reward: 'NaN' } })]);
    expect(state.batch_avg_reward).toBeNull();
  });

  it.each([
    [
      'a heartbeat, however late',
      otherEvent('RUN_HEARTBEAT', { timestamp: '2026-01-05T00:00:00Z' }),
      'finished',
    ],
    ['an event from before the end', epochCompleted({ timestamp: '2026-01-03T11:00:00Z' }), 'finished'],
    ['an event of a minute after it', epochCompleted({ timestamp: '2026-01-03T12:01:00Z' }), 'finished'],
    [
      'an event of more than a minute after it',
      epochCompleted({ timestamp: '2026-01-03T12:01:00.001Z' }),
      'running',
    ],
    ['a training that starts', trainingStarted({ timestamp: '2026-01-03T12:00:01Z' }), 'running'],
    ['a failure', otherEvent('RUN_FAILED', { timestamp: '2026-01-03T11:59:00Z' }), 'failed'],
  ])('leaves a finished run after %s as it should be', (_name, event, status) => {
    const finished = foldEvents([
      trainingStarted(),
      otherEvent('RUN_FINISHED', { timestamp: '2026-01-03T12:00:00Z' }),
    ]);
    expect(finished.status).toBe('finished');
    expect(foldEvents([event], finished).status).toBe(status);
  });

  it('says how a run ended, and why', () => {
    const end = (type: string, overrides: Parameters<typeof otherEvent>[1]) =>
      foldEvents([epochCompleted(), otherEvent(type, overrides)]).end;
    const timestamp = '2026-01-03T12:00:00Z';
    expect(end('RUN_FAILED', { timestamp, message: 'CUDA out of memory' })).toEqual({
      status: 'failed',
      at: timestamp,
      reason: 'CUDA out of memory',
      seq: 1,
    });
    expect(end('RUN_FAILED', { data: { reason: 'killed' } })!.reason).toBe('killed');
    expect(end('RUN_FINISHED', {})!.reason).toBeNull();
    expect(Buffer.byteLength(end('RUN_FAILED', { message: '✓'.repeat(3_000) })!.reason!)).toBeLessThanOrEqual(
      1_024,
    );
    const revived = foldEvents([
      otherEvent('RUN_FAILED', { timestamp }),
      epochCompleted({ timestamp: '2026-01-04T12:00:00Z' }),
    ]);
    expect(revived).toMatchObject({ status: 'running', end: { status: 'failed', at: timestamp } });
  });

  it('keeps the newest 16 attempts and counts all', () => {
    const state = foldEvents(
      Array.from({ length: 20 }, (_, index) =>
        trainingStarted({ timestamp: `2026-01-03T12:00:${10 + index}Z`, data: { start_episode: index } }),
      ),
    );
    expect(state.attempt).toBe(20);
    expect(state.attempts).toHaveLength(16);
    expect(state.attempts.at(-1)).toEqual({ seq: 19, at: '2026-01-03T12:00:29Z', episode: 19 });
  });

  const numbered = (emitter_id: string, emitter_seq: number) => epochCompleted({ emitter_id, emitter_seq });
  const startedAt = (start_episode: number, overrides = {}) =>
    trainingStarted({ ...overrides, data: { start_episode } });
  it.each([
    ['a single event that says nothing', [epochCompleted()], null],
    ['a training from episode 0', [trainingStarted()], false],
    ['the first number of an emitter', [numbered('a', 1)], false],
    ['a first number above 1', [numbered('a', 2)], true],
    ['a first number above 1 that is overtaken', [numbered('a', 2), numbered('a', 1)], false],
    ['another first number that is still missing', [numbered('a', 2), numbered('b', 1)], true],
    [
      'first numbers that all came',
      [numbered('a', 2), numbered('b', 2), numbered('b', 1), numbered('a', 1)],
      false,
    ],
    ['a training that resumes from elsewhere', [startedAt(40, { emitter_id: 'a', emitter_seq: 1 })], true],
    ['more ranks of such a training', [startedAt(40), numbered('b', 1)], true],
    ['a training that resumes from what is there', [startedAt(0), batchCompleted(), startedAt(4)], false],
  ])('knows whether the beginning is there after %s', (_name, events, partial) => {
    const state = foldEvents(events);
    expect(state.partial).toBe(partial);
    expect(state.partial_because === null).toBe(partial !== true);
  });

  it('says how far apart events usually arrive, bursts and all', () => {
    const at = (ms: number) => new Date(1_767_484_800_000 + ms).toISOString();
    let state: RunSnapshot | null = null;
    let seq = 0;
    const arrive = (ms: number) => {
      state = evolve(state, recordOf(epochCompleted(), { seq, receivedAt: at(ms) }));
      seq += 1;
      return state!.interval_ms;
    };
    expect(arrive(0)).toBeNull();
    expect(arrive(0)).toBeNull();
    for (let burst = 1; burst <= 100; burst += 1) {
      for (let index = 0; index < 20; index += 1) arrive(burst * 25_000 + index * 3);
    }
    expect(state!.interval_ms).toBeGreaterThan(20_000);
    expect(state!.interval_ms).toBeLessThanOrEqual(25_000);
    for (let index = 1; index <= 5_000; index += 1) arrive(101 * 25_000 + index * 100);
    expect(state!.interval_ms).toBe(100);
  });

  it('marks every n-th event as a landmark, with n doubling', () => {
    const events = Array.from({ length: 1_000 }, () => epochCompleted());
    const state = foldEvents([trainingStarted({ data: { start_episode: 7 } }), ...events]);
    expect(state.landmarks.length).toBeGreaterThanOrEqual(64);
    expect(state.landmarks.length).toBeLessThanOrEqual(128);
    expect(state.landmarks.slice(0, 3)).toMatchObject([
      [0, 1, expect.any(String), 0],
      [8, 9, expect.any(String), 7],
      [16, 17, expect.any(String), 7],
    ]);
    for (const [seq, ordinal] of state.landmarks) expect(ordinal).toBe(seq + 1);
  });

  it('says which records were repeats, and from where on it knows', () => {
    const once = epochCompleted({ event_id: 'once' });
    const state = foldEvents([once, once, once, epochCompleted(), once]);
    expect(state.repeats).toEqual({
      unknown_below: 0,
      ranges: [
        [1, 2],
        [4, 4],
      ],
    });
    const many = foldEvents(
      Array.from({ length: 140 }, (_, index) => (index % 2 ? once : epochCompleted())),
      state,
    );
    expect(many.repeats.ranges).toHaveLength(64);
    expect(many.repeats.unknown_below).toBeGreaterThan(5);
    expect(many.repeats.unknown_below).toBeLessThanOrEqual(many.repeats.ranges[0]![0]);
  });

  it('counts a heartbeat without logging it', () => {
    const state = foldEvents([epochCompleted()]);
    const later = evolve(
      state,
      recordOf(otherEvent('RUN_HEARTBEAT'), { seq: 5, receivedAt: '2026-01-04T00:10:00.000Z' }),
    )!;
    expect(later.event_log).toEqual(state.event_log);
    expect(later.last_received_at).toBe('2026-01-04T00:10:00.000Z');
    expect(later.last_event_at).toBe(state.last_event_at);
    expect(later.total_events_received).toBe(2);
  });

  it('compares times that are written in different ways', () => {
    const at = (...timestamps: string[]) =>
      foldEvents(timestamps.map((timestamp) => epochCompleted({ timestamp }))).last_event_at;
    expect(at('2026-01-03T01:00:00+00:00', '2026-01-03 23:00:00+00:00')).toBe('2026-01-03 23:00:00+00:00');
    expect(at('2026-01-03 23:00:00+00:00', '2026-01-03T01:00:00+00:00')).toBe('2026-01-03 23:00:00+00:00');
  });

  it('keeps the largest of the times it is told', () => {
    const state = foldEvents([epochCompleted({ timestamp: '2026-01-03T10:00:00+00:00' })]);
    const late = evolve(
      state,
      recordOf(epochCompleted({ timestamp: '2026-01-03T09:00:00.5+00:00' }), {
        seq: 5,
        receivedAt: '2026-01-01T00:00:00.000Z',
      }),
    )!;
    expect(late.last_event_at).toBe('2026-01-03T10:00:00+00:00');
    expect(late.last_received_at).toBe(state.last_received_at);
  });

  it('is absent after it was retired, and knows nothing of its beginning when it goes on in the middle', () => {
    const state = foldEvents([trainingStarted(), epochCompleted()]);
    const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };
    const retired = (through: number | null): RunRecord => {
      return { kind: 'retired', key: 'c1/r1/default', run, seq: 2, epoch: TEST_EPOCH, through };
    };
    expect(evolve(state, retired(null))).toBeNull();
    expect(evolve(null, retired(null))).toBeNull();
    expect(evolve(state, retired(1))).toBeNull();
    // An event came between the decision to retire and its record.
    expect(evolve(state, retired(0))).toBe(state);
    const anew = evolve(null, recordOf(epochCompleted(), { seq: 3 }))!;
    expect(anew).toMatchObject({ partial: null, first_seq: 3, total_events_received: 1 });
  });

  it('counts types past the 64th as other', () => {
    const state = foldEvents(Array.from({ length: 70 }, (_, index) => otherEvent(`TYPE_${index}`)));
    expect(Object.keys(state.counts)).toHaveLength(65);
    expect(state.counts.other).toBe(6);
  });

  it('counts activity by ten seconds over the newest ten minutes', () => {
    let state: RunSnapshot | null = null;
    const at = (seconds: number) => new Date(1_767_484_800_000 + seconds * 1_000).toISOString();
    for (const [index, seconds] of [0, 3, 12, 5, 700, 100, 50].entries()) {
      state = evolve(state, recordOf(epochCompleted(), { seq: index, receivedAt: at(seconds) }));
    }
    const start = 1_767_484_800;
    expect(state!.activity).toEqual(
      [[start + 700, 1]]
        .flatMap((bucket) => [[start + 100 + 10, 0], bucket])
        .filter(([, count]) => count! > 0),
    );
  });
});

describe('a snapshot', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 4_000 }),
    fc.constant('\u0000'.repeat(4_000)),
    fc.constant('"\\'.repeat(3_000)),
    fc.constant('✓'.repeat(3_000)),
    fc.constant('\ud800'.repeat(2_000)),
    fc.constant('😀'.repeat(2_000)),
  );
  const hostile = fc.record({
    id: fc.string({ unit: 'grapheme', maxLength: 20 }).map((id) => id.replace(/[\p{Cc}\p{Cs}]/gu, '')),
    message: text,
    slot: text,
    kind: fc.nat(5),
    emitter: fc.nat(200),
    n: fc.nat(2 ** 30),
  });

  it('never exceeds 512 KiB, whatever is sent', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 12 }), fc.nat(2 ** 20), (seeds, salt) => {
        let state: RunSnapshot | null = null;
        for (let index = 0; index < 1_500; index += 1) {
          const { id, message, slot, kind, emitter, n } = seeds[index % seeds.length]!;
          const overrides = {
            event_id: `${id}-${index}`,
            message,
            slot_id: slot,
            emitter_id: `${'e'.repeat(60)}${(emitter + index) % 97}`,
            emitter_seq: 1 + ((n + index * 7_919 * (salt + 1)) % 2 ** 39),
          };
          const value =
            kind === 0
              ? gateEvaluated({
                  ...overrides,
                  data: { gate: slot, target_stage: slot, message, slot_id: slot },
                })
              : kind === 1
                ? trainingStarted({
                    ...overrides,
                    data: { task: message, slot_ids: Array.from({ length: 300 }, () => slot.slice(0, 80)) },
                  })
                : otherEvent(`TYPE_${'X'.repeat(50)}_${index % 90}`, overrides);
          state = evolve(
            state,
            recordOf(value, {
              seq: index,
              receivedAt: new Date(1_767_484_800_000 + index * 9_000).toISOString(),
            }),
          );
        }
        expect(Buffer.byteLength(JSON.stringify(state))).toBeLessThanOrEqual(SNAPSHOT_BYTES_MAX);
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  it('stays below 512 KiB with every bound filled', () => {
    let state: RunSnapshot | null = null;
    let seq = 0;
    const push = (event: Parameters<typeof recordOf>[0]) => {
      const receivedAt = new Date(1_700_000_000_000 + seq * 10_001).toISOString();
      state = evolve(state, recordOf(event, { seq: seq * 1_000_003, receivedAt }));
      seq += 1;
    };
    const name = '✓'.repeat(94);
    const message = '✓'.repeat(400);
    const values = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`value-${index}`, '✓'.repeat(index < 2 ? 1 : 23)]),
    );
    const timestamp = `2026-01-03T23:59:47.${'1'.repeat(32)}+00:00`;
    const base = (index: number) =>
      ({ event_id: `${'✓'.repeat(90)}${index}`, timestamp, severity: 'critical' }) as const;
    for (let index = 0; index < ATTEMPTS_MAX + 1; index += 1) {
      const slot_ids = Array.from({ length: 256 }, () => `${'✓'.repeat(31)}ab`);
      push(trainingStarted({ ...base(index), data: { task: name, reward_mode: name, slot_ids } }));
    }
    for (let emitter = 0; emitter < EMITTERS_MAX; emitter += 1) {
      for (let gap = 0; gap < 6; gap += 1) {
        const numbering = {
          emitter_id: `${'e'.repeat(60)}${String(emitter).padStart(4, '0')}`,
          emitter_seq: 2 ** 39 + gap * 2_000_001,
        };
        push(
          otherEvent(`T${'X'.repeat(61)}${10 + (emitter % 70)}`, {
            ...base(1_000 + emitter * 10 + gap),
            ...numbering,
          }),
        );
      }
    }
    for (let index = 0; index < 110; index += 1) {
      const data = { ...values, gate: name, target_stage: name, message: name, slot_id: name };
      push(gateEvaluated({ ...base(9_000 + index), slot_id: name, data }));
    }
    const other = `T${'Y'.repeat(63)}`;
    for (let index = 0; index < 1_100; index += 1) {
      push(otherEvent(other, { ...base(20_000 + index), message, data: values }));
    }
    for (let index = 0; index < 200; index += 1) {
      for (const at of [21_000, 40_000 + index])
        push(otherEvent(other, { ...base(at), message, data: values }));
    }
    push(otherEvent('RUN_FAILED', { ...base(90_000), message, data: values }));
    const held: RunSnapshot = state!;
    expect(Object.keys(held.emitters)).toHaveLength(EMITTERS_MAX);
    expect(held.repeats.ranges).toHaveLength(64);
    const rest = (LANDMARKS_MAX - held.landmarks.length) * JSON.stringify(held.landmarks[0]).length * 2;
    expect(Buffer.byteLength(JSON.stringify(held)) + rest).toBeLessThanOrEqual(SNAPSHOT_BYTES_MAX);
  });

  it('cuts a message to 1 KiB and metadata to 256 characters, ending in an ellipsis', () => {
    const [entry] = foldEvents([otherEvent('NOTE', { message: 'x'.repeat(5_000) })]).event_log;
    expect(Buffer.byteLength(entry!.message)).toBe(1_024);
    expect(entry!.message.endsWith('…')).toBe(true);
    const [gate] = foldEvents([gateEvaluated({ data: { message: 'y'.repeat(5_000) } })]).event_log;
    expect(gate!.metadata.detail).toBe(`${'y'.repeat(255)}…`);
  });

  it('never splits a surrogate pair', () => {
    const [entry] = foldEvents([otherEvent('NOTE', { message: '😀'.repeat(3_000) })]).event_log;
    expect(entry!.message).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });
});
