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

  it('hold a buffer while most of it is in use, and not for a few runs', () => {
    const keys = Array.from({ length: 10 }, (_, run) => `local/r${run}/default`);
    const state = stateWith();
    const dormant = inOneBuffer(keys.map(() => state));
    const { byteLength } = dormant[0]!.bytes.buffer;
    const states = new RunStates();
    for (const [run, key] of keys.entries()) states.setDormant(key, dormant[run]!);
    states.settle();
    expect(states.dormantBytes).toBe(byteLength);
    for (const key of keys.slice(0, 5)) states.get(key);
    expect(states.dormantBytes).toBe(byteLength);
    states.delete(keys[5]!);
    expect(states.dormantBytes).toBe((byteLength / 10) * 4);
    for (const key of keys.slice(6)) expect(states.get(key)).toEqual(state);
    expect(states.dormantBytes).toBe(0);
  });

  it('hold no buffer for the newest of many snapshots of one run', () => {
    const state = stateWith();
    const dormant = inOneBuffer(Array.from({ length: 10 }, () => state));
    const { byteLength } = dormant[0]!.bytes.buffer;
    const states = new RunStates();
    for (const each of dormant) states.setDormant(KEY, each);
    states.setDormant('local/other/default', asleep(state));
    states.settle();
    expect(states.dormantBytes).toBeLessThan(byteLength);
    expect(states.get(KEY)).toEqual(state);
  });
});
