import { expect, it } from 'vitest';
import { HOLDS_NOTHING } from '../share-out.ts';
import { decodeHeldShare, encodeHeldShare } from './held-share.ts';

it('tells what a member holds, and nothing where a member told nothing that can be read', () => {
  const held = { generation: 7, partitions: [3, 11] };
  expect(decodeHeldShare(encodeHeldShare(held))).toEqual(held);
  for (const text of ['', '{', '{"generation":1}', '{"generation":1,"partitions":[-1]}', '\xff']) {
    expect(decodeHeldShare(Buffer.from(text))).toBe(HOLDS_NOTHING);
  }
  expect(decodeHeldShare(null)).toBe(HOLDS_NOTHING);
});
