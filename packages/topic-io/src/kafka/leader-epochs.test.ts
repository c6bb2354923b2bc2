import { describe, expect, it } from 'vitest';
import { leaderEpochsOf } from './leader-epochs.ts';

function header({ offset, epoch, magic = 2 }: { offset: number; epoch: number; magic?: number }): Buffer {
  const batch = Buffer.alloc(61);
  batch.writeBigInt64BE(BigInt(offset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(epoch, 12);
  batch[16] = magic;
  return batch;
}

describe('leaderEpochsOf', () => {
  it.each([
    [
      'the first and the last batch',
      [header({ offset: 0, epoch: 3 }), header({ offset: 5, epoch: 4 })],
      3,
      4,
    ],
    ['only what was passed', [header({ offset: 0, epoch: 3 }), header({ offset: 10, epoch: 4 })], 3, 3],
    [
      'no checksum of an older format',
      [header({ offset: 0, epoch: 3 }), header({ offset: 5, epoch: -77, magic: 1 })],
      3,
      3,
    ],
  ])('takes %s', (_what, batches, first, last) => {
    expect(leaderEpochsOf(Buffer.concat(batches), 10)).toEqual({ first, last });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a batch without an epoch', header({ offset: 0, epoch: -1 })],
    ['an older format alone', header({ offset: 0, epoch: 99, magic: 1 })],
    ['a batch that is cut off', header({ offset: 0, epoch: 3 }).subarray(0, 16)],
  ])('says nothing of %s', (_what, bytes) => {
    expect(leaderEpochsOf(bytes, 10)).toBeNull();
  });
});
