import { describe, expect, it } from 'vitest';
import { decodeMeta, encodeMeta } from './meta-record.ts';

const meta = { epoch: '2026-01-03', fold: 7, partitions: 12, snapshots: 'run-snapshots.v2' };

describe('the record of run-meta', () => {
  it('is decoded to what was encoded', () => {
    expect(decodeMeta(encodeMeta(meta, 5).value)).toEqual(meta);
  });

  it('keeps what only newer builds know, and is read without it', () => {
    const newer = { ...meta, starts: [0, 7], events_id: 'id-1' };
    expect(decodeMeta(encodeMeta(newer, 5).value)).toEqual(newer);
  });

  it('has these bytes, this key and no header', () => {
    const { value, ...rest } = encodeMeta(meta, 5);
    expect(rest).toEqual({ key: 'meta', headers: {}, timestampMs: 5 });
    expect(value!.toString('utf8')).toBe(
      '{"epoch":"2026-01-03","fold":7,"partitions":12,"snapshots":"run-snapshots.v2"}',
    );
  });

  it.each([
    ['no bytes', null],
    ['no JSON', '{"epoch":'],
    ['another shape', '[]'],
    ['a field that is missing', JSON.stringify({ ...meta, fold: undefined })],
    ['an epoch with a dot', JSON.stringify({ ...meta, epoch: 'a.b' })],
  ])('refuses %s', (_, text) => {
    expect(decodeMeta(text === null ? null : Buffer.from(text))).toBeNull();
  });
});
