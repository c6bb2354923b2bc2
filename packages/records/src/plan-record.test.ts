import { describe, expect, it } from 'vitest';
import { decodePlan, encodePlan } from './plan-record.ts';

const plan = { from: 'run-snapshots', epoch: 'e', fold: 7 };

describe('the record of a rebuild plan', () => {
  it('is decoded to what was encoded', () => {
    expect(decodePlan(encodePlan(plan, 5).value)).toEqual(plan);
  });

  it('has these bytes, this key and no header', () => {
    const { value, ...rest } = encodePlan(plan, 5);
    expect(rest).toEqual({ key: '#rebuild', headers: {}, timestampMs: 5 });
    expect(value!.toString('utf8')).toBe('{"from":"run-snapshots","epoch":"e","fold":7}');
  });

  it('is of fold 1 where it names none, as the first builds wrote it', () => {
    expect(decodePlan(Buffer.from('{"from":"run-snapshots","epoch":"e"}'))).toMatchObject({ fold: 1 });
  });

  it.each([
    ['no bytes', null],
    ['no JSON', '{"from":'],
    ['another shape', '7'],
    ['a field that is missing', '{"from":"run-snapshots"}'],
  ])('is refused with %s', (_, text) => {
    expect(decodePlan(text === null ? null : Buffer.from(text))).toBeNull();
  });
});
