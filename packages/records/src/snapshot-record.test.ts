import { formatRunKey } from '@runlog/schema/run/run-key';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { epochCompleted, foldEvents } from '../../../test/support/event-factory.ts';
import { fold1Snapshots } from '../../../test/support/fold-1-log.ts';
import { decodeDormant, decodeSnapshot, decodeSnapshotOfFold, encodeSnapshot } from './snapshot-record.ts';

const state = foldEvents([epochCompleted({ event_id: 'a' }), epochCompleted({ event_id: 'b' })]);
const record = { ...encodeSnapshot(state, { key: 'local/a/default', nowMs: 5 }), offset: 3 };

describe('the record of a snapshot', () => {
  it('is decoded to what was encoded', () => {
    expect(decodeSnapshot(record.value)).toEqual(state);
    expect(record.value.toString('utf8')).toBe(JSON.stringify(state));
  });

  it('is decoded to its head and its bytes', () => {
    const dormant = decodeDormant(record)!;
    expect(state).toMatchObject(dormant.head);
    expect(dormant.head.position).toEqual(state.position);
    expect(dormant.bytes).toBe(record.value);
  });

  it.each([
    ['no bytes', null],
    ['no JSON', record.value.subarray(0, -1)],
    ['another shape', Buffer.from('{}')],
  ])('refuses %s', (_, value) => {
    expect(decodeSnapshot(value)).toBeNull();
    expect(decodeDormant({ ...record, value })).toBeNull();
  });

  it('is decoded as the version of the fold that wrote it, and brought up', () => {
    for (const [key, bytes] of fold1Snapshots()) {
      expect(decodeSnapshot(bytes)).toBeNull();
      const broughtUp = decodeSnapshotOfFold(bytes, 1)!;
      expect(formatRunKey(broughtUp)).toBe(key);
      expect(decodeSnapshot(Buffer.from(JSON.stringify(broughtUp)))).toEqual(broughtUp);
    }
    expect(decodeSnapshotOfFold(record.value, FOLD_VERSION)).toEqual(state);
    expect(decodeSnapshotOfFold(record.value, 1)).toBeNull();
    expect(decodeSnapshotOfFold(null, 1)).toBeNull();
  });

  it('takes no head from bytes whose checksum is not right', () => {
    const value = Buffer.from(record.value);
    value[value.indexOf(state.run_id)]! += 1;
    expect(value.equals(record.value)).toBe(false);
    expect(decodeSnapshot(value)).not.toBeNull();
    expect(decodeDormant({ ...record, value })).toBeNull();
    expect(decodeDormant({ ...record, headers: {} })).toBeNull();
  });
});
