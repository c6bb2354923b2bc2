import { crc32 } from 'node:zlib';
import {
  type DormantRun,
  decodeDormant,
  encodeSnapshot,
  snapshotHeaders,
} from '@runlog/records/snapshot-record';
import { type RunSnapshot, runHeadSchema } from '@runlog/schema/run/snapshot';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  epochCompleted,
  foldEvents,
  seedFossilized,
  trainingStarted,
} from '../../../test/support/event-factory.ts';
import { RunStates } from './run-states.ts';

const KEY = 'local/r1/default';

function stateWith(texts: { task?: string; message?: string } = {}): RunSnapshot {
  const { task = 'cifar_scale', message = 'epoch' } = texts;
  return foldEvents([
    trainingStarted({ data: { ...trainingStarted().data, task, slot_ids: [task] } }),
    epochCompleted({ message }),
    seedFossilized({ message }),
  ]);
}

/** A state of some 80 KB, which is worth packing. */
function largeState(text = 'x'): RunSnapshot {
  const started = trainingStarted();
  const epochs = Array.from({ length: 40 }, () => seedFossilized({ message: text.padEnd(1_000, 'x') }));
  return foldEvents([started, ...epochs]);
}

function stored(state: RunSnapshot, overrides: Partial<LogRecord> = {}): LogRecord {
  return { ...encodeSnapshot(state, { key: KEY, nowMs: 0 }), offset: 0, ...overrides };
}

function asleep(state: RunSnapshot): DormantRun {
  const dormant = decodeDormant(stored(state));
  if (dormant === null) throw new Error('the snapshot does not sleep');
  return dormant;
}

/** Puts the snapshots into one buffer, as they are in the answer to a fetch. */
function inOneBuffer(states: readonly RunSnapshot[]): DormantRun[] {
  const all = states.map(asleep);
  const buffer = Buffer.concat(all.map(({ bytes }) => bytes));
  const own = Buffer.from(new Uint8Array(buffer).buffer);
  let at = 0;
  return all.map(({ head, bytes }) => {
    at += bytes.length;
    return { head, bytes: own.subarray(at - bytes.length, at) };
  });
}

describe('a dormant run', () => {
  it('has the head of its state, and wakes to exactly that state, whatever its texts contain', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(
        '","event_log":[',
        ',"activity":[',
        '"],"event_log":[{"',
        '\\","activity":[[1,2]],"x":"',
      ),
    );
    fc.assert(
      fc.property(nasty, nasty, (task, message) => {
        const state = stateWith({ task, message });
        const head = runHeadSchema.parse(state);
        const dormant = asleep(state);
        expect(dormant.head).toEqual(head);
        const states = new RunStates();
        states.setDormant(KEY, dormant);
        expect(JSON.stringify(states.get(KEY))).toBe(JSON.stringify(state));
      }),
    );
  });

  it.each([
    ['its checksum is missing', { headers: {} }],
    ['its checksum belongs to other bytes', { headers: { [snapshotHeaders.checksum]: '00000000' } }],
    ['it is a tombstone', { value: null }],
    ['it is not a snapshot', forged('{"event_log":[],"activity":[]}')],
    ['it is not JSON', forged('{"a":1,"event_log":[],"activity":[')],
  ] satisfies [string, Partial<LogRecord>][])('is not made when %s', (_, overrides) => {
    expect(decodeDormant(stored(stateWith(), overrides))).toBeNull();
  });
});

function forged(text: string): Pick<LogRecord, 'value' | 'headers'> {
  const value = Buffer.from(text);
  return { value, headers: { [snapshotHeaders.checksum]: crc32(value).toString(16).padStart(8, '0') } };
}

describe('the states of runs', () => {
  it('keep the order in which the runs were put in, whichever is woken', () => {
    const states = new RunStates();
    const state = stateWith();
    for (const key of ['c', 'a', 'b']) states.setDormant(key, asleep(state));
    states.get('a');
    expect([...states.keys()]).toEqual(['c', 'a', 'b']);
    expect([...states.heads()].map(([key]) => key)).toEqual(['c', 'a', 'b']);
    expect([...states].map(([key]) => key)).toEqual(['c', 'a', 'b']);
    expect([...states.values()]).toEqual([state, state, state]);
    expect(states.size).toBe(3);
  });

  it('wake a run once, and wake none to list them', () => {
    const states = new RunStates();
    states.setDormant(KEY, asleep(stateWith()));
    expect([...states.heads()].map(([, head]) => head.status)).toEqual(['running']);
    expect(states.head(KEY)).toMatchObject({ run_id: 'r1' });
    expect(states.dormantBytes).toBeGreaterThan(0);
    expect(states.get(KEY)).toBe(states.get(KEY));
    expect(states.dormantBytes).toBe(0);
  });

  it('leave out a run whose bytes cannot be read although the checksum is right, and say so', () => {
    const state = stateWith();
    const broken = JSON.stringify(state).replace('"event_log":[{', '"event_log":[7,{');
    const dormant = decodeDormant(stored(state, forged(broken)));
    const unreadable: string[] = [];
    const states = new RunStates((key) => unreadable.push(key));
    states.setDormant(KEY, dormant!);
    expect(states.has(KEY)).toBe(true);
    expect(states.get(KEY)).toBeUndefined();
    expect(states.has(KEY)).toBe(false);
    expect(unreadable).toEqual([KEY]);
  });

  it('hold no fetched buffer soon after they are settled, and wake to the same state', async () => {
    const keys = Array.from({ length: 10 }, (_, run) => `local/r${run}/default`);
    const state = largeState();
    const dormant = inOneBuffer(keys.map(() => state));
    const { byteLength } = dormant[0]!.bytes.buffer;
    const states = new RunStates();
    for (const [run, key] of keys.entries()) states.setDormant(key, dormant[run]!);
    expect(states.dormantBytes).toBe(byteLength);
    states.get(keys[0]!);
    states.delete(keys[1]!);
    states.settle();
    expect(states.size).toBe(9);
    await expect.poll(() => states.dormantBytes).toBeLessThan(byteLength / 2);
    for (const key of [keys[0]!, ...keys.slice(2)]) expect(states.get(key)).toEqual(state);
    expect(states.dormantBytes).toBe(0);
  });

  it.each([7, 1_000])(
    'keep only the newest of many snapshots of one run, with messages of %d',
    async (length) => {
      const states = new RunStates();
      const versions = Array.from({ length: 10 }, (_, number) =>
        stateWith({ message: `${number}`.padEnd(length, 'x') }),
      );
      for (const state of versions) {
        states.setDormant(KEY, asleep(state));
        states.settle();
      }
      const { buffer } = asleep(versions[0]!).bytes;
      await expect.poll(() => states.dormantBytes).toBeLessThan(buffer.byteLength);
      expect(states.get(KEY)).toEqual(versions.at(-1));
    },
  );

  it('let go of fetched buffers while more come, even if no other thread gets to work', () => {
    const state = largeState();
    const { head, bytes } = asleep(state);
    const states = new RunStates();
    const runs = Math.ceil((160 * 1024 * 1024) / bytes.length);
    let highest = 0;
    for (let run = 0; run < runs; run += 1) {
      states.setDormant(`local/r${run}/default`, { head, bytes: Buffer.from(bytes) });
      if (run % 100 === 0) highest = Math.max(highest, states.dormantBytes);
    }
    expect(highest).toBeLessThan((runs * bytes.length) / 2);
    expect(states.get('local/r0/default')).toEqual(state);
  });
});
