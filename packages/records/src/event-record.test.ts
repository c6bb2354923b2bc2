import type { TelemetryEvent } from '@runlog/schema/events/event';
import { describe, expect, it } from 'vitest';
import { epochCompleted } from '../../../test/support/event-factory.ts';
import { encodeEvent, eventIdOf, receivedAtOf } from './event-record.ts';
import { decodeRunRecord } from './run-record.ts';

const RECEIVED_AT = '2026-01-04T00:00:00.250Z';

function recordOf(event: TelemetryEvent, headers: Record<string, string> = {}) {
  const receivedAtMs = Date.parse(RECEIVED_AT);
  const arrived = { clusterId: 'c1', receivedAt: RECEIVED_AT, receivedAtMs };
  const record = encodeEvent(event, { ...arrived, value: Buffer.from(JSON.stringify(event)) });
  return { ...record, headers: { ...record.headers, ...headers }, offset: 7 };
}

const decoded = (record: Parameters<typeof decodeRunRecord>[0]) => decodeRunRecord(record, 'epoch');

describe('the record of an event', () => {
  const event = epochCompleted({ event_id: 'e1', run_id: 'r1', group_id: 'g1' });

  it('is decoded to what was encoded', () => {
    expect(decoded(recordOf(event))).toEqual({
      kind: 'event',
      key: 'c1/r1/g1',
      run: { cluster_id: 'c1', run_id: 'r1', group_id: 'g1' },
      seq: 7,
      epoch: 'epoch',
      event,
      receivedAt: RECEIVED_AT,
      receivedAtMs: Date.parse(RECEIVED_AT),
    });
    expect(receivedAtOf(recordOf(event))).toBe(RECEIVED_AT);
  });

  it('has the bytes as received, the key of its run, and these headers', () => {
    const { value, ...rest } = recordOf(event);
    expect(value.toString('utf8')).toBe(JSON.stringify(event));
    expect(rest).toEqual({
      key: 'c1/r1/g1',
      headers: {
        event_type: 'EPOCH_COMPLETED',
        event_id: 'e1',
        received_at: RECEIVED_AT,
        schema_version: '1',
      },
      timestampMs: Date.parse(RECEIVED_AT),
      offset: 7,
    });
  });

  it('has the number of its emitter in the headers, and the default group in its key', () => {
    const numbered = epochCompleted({ group_id: null, emitter_id: 'host-7', emitter_seq: 12 });
    const { key, headers } = recordOf(numbered);
    expect(key).toBe(`c1/${numbered.run_id}/default`);
    expect(headers).toMatchObject({ emitter_id: 'host-7', emitter_seq: '12' });
  });

  it.each([
    ['no header', undefined, '1970-01-01T00:00:00.005Z'],
    ['no time in it', 'yesterday', '1970-01-01T00:00:00.005Z'],
    ['another zone', '2026-01-04T01:00:00.250+01:00', RECEIVED_AT],
  ])('was received at the time that the log gave it if it has %s', (_, receivedAt, expected) => {
    const { headers, ...record } = recordOf(event);
    const { received_at: _received, ...others } = headers as Record<string, string>;
    const changed = receivedAt === undefined ? others : { ...others, received_at: receivedAt };
    expect(decoded({ ...record, timestampMs: 5, headers: changed })).toMatchObject({ receivedAt: expected });
  });

  it.each([
    ['a key that does not name a run', { key: 'c1' }, 'the key is not cluster/run/group: "c1"'],
    [
      'the key of another run',
      { key: 'c1/r2/g1' },
      'run_id and group_id of the event differ from the key of its record',
    ],
    ['no value', { value: null }, 'the record has no value'],
    ['a value that is not JSON', { value: Buffer.from('{') }, /^the value is not JSON: /],
    ['a value that is not an event', { value: Buffer.from('{}') }, /^event_id is required/],
  ])('is unfoldable with %s', (_, change, reason) => {
    expect(decoded({ ...recordOf(event), ...change })).toEqual({
      kind: 'unfoldable',
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
  });

  it.each([
    ['"x"', undefined],
    ['null', undefined],
    ['{', undefined],
    ['{"event_id":7}', 7],
  ])('has in the value %s the id %j', (text, id) => {
    expect(eventIdOf({ value: Buffer.from(text) })).toBe(id);
    expect(eventIdOf({ value: null })).toBeUndefined();
    expect(eventIdOf(recordOf(event))).toBe('e1');
  });

  it('is not parsed again if it carries its JSON', () => {
    const record = { ...recordOf(event), value: Buffer.from('not read'), json: event };
    expect(decoded(record)).toMatchObject({ kind: 'event', event });
  });
});
