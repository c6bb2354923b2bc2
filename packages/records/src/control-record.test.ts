import { describe, expect, it } from 'vitest';
import { controlOf, encodeRetirement } from './control-record.ts';
import { decodeRunRecord } from './run-record.ts';

const record = {
  ...encodeRetirement({ key: 'c1/r1/g1', reason: 'retention', through: 41, nowMs: 5 }),
  offset: 50,
};

describe('the record that retires a run', () => {
  it('is decoded to what was encoded', () => {
    expect(decodeRunRecord(record, 'epoch')).toEqual({
      kind: 'retired',
      key: 'c1/r1/g1',
      run: { cluster_id: 'c1', run_id: 'r1', group_id: 'g1' },
      seq: 50,
      epoch: 'epoch',
      through: 41,
    });
  });

  it('has these bytes and headers', () => {
    const { value, ...rest } = record;
    expect(value!.toString('utf8')).toBe('{"control":"RUN_RETIRED","reason":"retention","through":41}');
    expect(rest).toEqual({
      key: 'c1/r1/g1',
      headers: { control: 'RUN_RETIRED', received_at: '1970-01-01T00:00:00.005Z' },
      timestampMs: 5,
      offset: 50,
    });
    expect(controlOf(record)).toBe('RUN_RETIRED');
    expect(controlOf({ headers: {} })).toBeNull();
  });

  it.each([
    ['another control', '{"control":"RUN_PAUSED"}'],
    ['no offset', '{"control":"RUN_RETIRED","reason":"deleted"}'],
    ['an offset below 0', '{"control":"RUN_RETIRED","reason":"deleted","through":-1}'],
    ['an event', '{"event_id":"e"}'],
  ])('is unfoldable with %s', (_, text) => {
    expect(decodeRunRecord({ ...record, value: Buffer.from(text) }, 'epoch')).toEqual({
      kind: 'unfoldable',
      reason: 'unknown control record',
    });
  });
});
