import { expect, it } from 'vitest';
import { judgeBatches, judgeCompressionType, judgeLibraries } from './codecs.ts';

it('counts the codecs of the newest batches, and names the one that cannot be read', () => {
  const found = judgeBatches('run-events', [
    { partition: 0, offset: 9, codec: 'lz4', fault: null },
    { partition: 1, offset: 4, codec: 'none', fault: null },
    {
      partition: 2,
      offset: 7,
      codec: 'zstd',
      fault: 'is compressed with zstd and cannot be decompressed: x',
    },
  ]);
  expect(found.map(({ status, name }) => `${status} ${name}`)).toEqual([
    'failed run-events/2',
    'ok run-events',
  ]);
  expect(found[0]!.message).toContain('at offset 7, is compressed with zstd');
  expect(found[1]!.message).toContain('uncompressed in 1, lz4 in 1 of 3 partitions');
});

it('is content with a topic that is empty, and with what a broker compresses anew', () => {
  expect(judgeBatches('run-events', [])).toMatchObject([{ status: 'ok' }]);
  expect(judgeCompressionType('run-events', 'producer')).toEqual([]);
  expect(judgeCompressionType('run-events', 'gzip')).toMatchObject([{ status: 'ok' }]);
});

it('says that the embedded log does not compress', () => {
  expect(judgeLibraries('zstd', 'embedded')).toContainEqual(
    expect.objectContaining({ name: 'RUNLOG_COMPRESSION', status: 'warning' }),
  );
  expect(judgeLibraries('zstd', 'kafka').map(({ status }) => status)).toEqual(['ok', 'ok']);
});
