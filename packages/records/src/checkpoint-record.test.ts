import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-record.ts';

const checkpoint = { epoch: 'e', fold: 7, next: 1_234 };

describe('the record of a checkpoint', () => {
  it('is decoded to what was encoded', () => {
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint, 5).value)).toEqual(checkpoint);
  });

  it('has these bytes, this key and no header', () => {
    const { value, ...rest } = encodeCheckpoint(checkpoint, 5);
    expect(rest).toEqual({ key: '#checkpoint', headers: {}, timestampMs: 5 });
    expect(value!.toString('utf8')).toBe('{"epoch":"e","fold":7,"next":1234}');
  });

  it.each([
    ['no bytes', null],
    ['no JSON', '{"epoch":'],
    ['another shape', '7'],
    ['a field that is missing', JSON.stringify({ epoch: 'e', fold: 7 })],
    ['an offset below 0', JSON.stringify({ ...checkpoint, next: -1 })],
  ])('refuses %s', (_, text) => {
    expect(decodeCheckpoint(text === null ? null : Buffer.from(text))).toBeNull();
  });
});
