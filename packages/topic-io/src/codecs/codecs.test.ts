import { gzipSync } from 'node:zlib';
import { compressFrameSync } from 'lz4-napi';
import { compressSync } from 'snappy';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  RECORDED_CLIENTS,
  RECORDED_COMPRESSIONS,
  recordedBatch,
  recordedRecords,
} from '../../../../test/support/recorded-batches.ts';
import {
  COMPRESSIONS,
  codecOf,
  compress,
  compressionFault,
  decompress,
  startCodecs,
} from '../compression.ts';
import { decodeBatches } from '../kafka/record-batch.ts';
import { INFLATED_BYTES_MAX } from './codec.ts';
import { byWebAssembly } from './zstd.ts';

const COMPRESSED = COMPRESSIONS.filter((one) => one !== 'none');
const text = Buffer.from(
  recordedRecords()
    .map(({ value }) => value)
    .join('\n'),
);

beforeAll(startCodecs);

describe('each way of compressing', () => {
  it.each(COMPRESSED)('%s is there on every Node, and gives back what it was given', async (compression) => {
    expect(compressionFault(compression)).toBeNull();
    const compressed = await compress(text, compression);
    expect(compressed.length).toBeLessThan(text.length / 3);
    expect(bytesOf(decompress(compressed, codecOf(compression)))?.equals(text)).toBe(true);
  });

  it.each(RECORDED_CLIENTS.flatMap((client) => RECORDED_COMPRESSIONS.map((one) => [client, one] as const)))(
    'reads what %s writes in %s',
    (client, compression) => {
      const bytes = recordedBatch(client, compression);
      const { records } = decodeBatches({ bytes, fetchOffset: 0, aborted: [] });
      const read = records.map(({ key, value, headers, timestampMs }) => ({
        ...{ key, value: String(value), headers },
        ...(client === 'java' ? {} : { timestampMs }),
      }));
      const expected = recordedRecords().map(({ timestampMs, ...rest }) => ({
        ...rest,
        ...(client === 'java' ? {} : { timestampMs }),
      }));
      expect(read).toEqual(expected);
    },
  );

  it.each(COMPRESSED)('%s is refused where it is cut off or damaged', async (compression) => {
    const compressed = await compress(text, compression);
    const codec = codecOf(compression);
    for (const length of [0, 1, 5, 17, compressed.length - 1]) {
      const { fault, bytes } = outcomeOf(decompress(compressed.subarray(0, length), codec));
      // The raw framing of snappy may take a few bytes of another for whole ones; then they hold no records.
      if (fault === undefined) expect(bytes!.length).toBeLessThan(16);
      else expect(fault).toMatch(`is compressed with ${compression} and cannot be decompressed`);
    }
    const damaged = Buffer.from(compressed);
    damaged.fill(0xff, 20, 60);
    expect(outcomeOf(decompress(damaged, codec)).fault).toBeDefined();
  });
});

describe('the framings that brokers and clients choose between', () => {
  const raw = compressSync(text);
  const xerial = (chunks: readonly Buffer[], writeVersion: 'writeInt32BE' | 'writeInt32LE') => {
    const versions = Buffer.alloc(8);
    versions[writeVersion](1, 0);
    versions[writeVersion](1, 4);
    const lengthed = chunks.flatMap((chunk) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(chunk.length);
      return [length, chunk];
    });
    return Buffer.concat([Buffer.from('\x82SNAPPY\0', 'latin1'), versions, ...lengthed]);
  };
  const parts = [text.subarray(0, 32_768), text.subarray(32_768, 70_000), text.subarray(70_000)];
  const chunks = parts.map((part) => compressSync(part));

  it.each([
    ['raw', raw],
    ['Xerial, several chunks', xerial(chunks, 'writeInt32BE')],
    ["Xerial in Redpanda's byte order", xerial(chunks, 'writeInt32LE')],
    [
      'two streams after each other',
      Buffer.concat([xerial(chunks.slice(0, 1), 'writeInt32BE'), xerial(chunks.slice(1), 'writeInt32BE')]),
    ],
  ])('of snappy: %s', (_, bytes) => {
    expect(bytesOf(decompress(bytes, 2))?.equals(text)).toBe(true);
  });

  it.each([
    ['checksums of blocks and of the content', { blockChecksums: true, contentChecksum: true }],
    ['none', { blockChecksums: false, contentChecksum: false }],
  ])('of lz4: %s', (_, options) => {
    expect(bytesOf(decompress(compressFrameSync(text, options), 3))?.equals(text)).toBe(true);
  });

  it('of zstd: a size that is said, and one that is not', () => {
    for (const frame of [zstdStored(text), recordedPayload('zstd')]) {
      const byNode = bytesOf(decompress(frame, 4));
      expect(byNode?.length).toBeGreaterThan(text.length - 1);
    }
  });
});

describe('Zstandard as WebAssembly, for Node without it', () => {
  const codec = byWebAssembly();

  it('says that it is missing before it was started: that is no fault of the bytes', () => {
    expect(() => byWebAssembly().decompress(zstdStored(text))).toThrow('was not started');
  });

  it('reads and writes what Node does', async () => {
    await codec.start();
    const compressed = await codec.compress(text);
    expect(codec.decompress(compressed).equals(text)).toBe(true);
    expect(bytesOf(decompress(compressed, 4))?.equals(text)).toBe(true);
    expect(codec.decompress(zstdStored(text)).equals(text)).toBe(true);
    const [recorded, other] = [recordedPayload('zstd'), recordedPayload('zstd', 'java')];
    for (const payload of [recorded, other]) {
      expect(codec.decompress(payload).equals(bytesOf(decompress(payload, 4))!)).toBe(true);
    }
  });

  it('reads a frame that shrank more than it guesses', async () => {
    await codec.start();
    const zeros = await codec.compress(Buffer.alloc(3 * 1024 * 1024));
    expect(codec.decompress(withoutSize(zeros)).length).toBe(3 * 1024 * 1024);
  });

  it.each([
    ['another format', Buffer.from('no frame of zstd')],
    ['a frame that is cut off', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0])],
    [
      'a frame that claims 4 GiB',
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
    ],
    ['a frame that claims too little', zstdStored(text, 10)],
  ])('refuses %s, and reads the next', async (_, bytes) => {
    await codec.start();
    expect(() => codec.decompress(bytes)).toThrow();
    expect(codec.decompress(zstdStored(text)).equals(text)).toBe(true);
  });
});

describe('a batch that inflates to too much', () => {
  const zeros = Buffer.alloc(INFLATED_BYTES_MAX + 8 * 1024 * 1024);

  it.each([
    ['gzip', () => gzipSync(zeros, { level: 1 })],
    ['snappy', () => compressSync(zeros)],
    ['lz4', () => compressFrameSync(zeros)],
    ['zstd', () => compress(zeros, 'zstd')],
  ] as const)('is refused in %s', async (compression, make) => {
    const bytes = await make();
    expect(bytes.length).toBeLessThan(INFLATED_BYTES_MAX / 10);
    expect(outcomeOf(decompress(bytes, codecOf(compression))).fault).toContain('cannot be decompressed');
  });

  it.each([
    ['snappy that claims 2 GiB', 2, Buffer.from('ffffffff0700', 'hex')],
    ['snappy whose size has no end', 2, Buffer.from('ffffffffffffff', 'hex')],
    [
      'a chunk of snappy of 4 GiB',
      2,
      Buffer.concat([Buffer.from('\x82SNAPPY\0', 'latin1'), Buffer.alloc(8), Buffer.alloc(4, 0xff)]),
    ],
    ['a block of lz4 of 2 GiB', 3, Buffer.from('04224d186070' + '73' + 'ffffff7f', 'hex')],
  ])('is refused by what it claims: %s', (_, codec, bytes) => {
    expect(outcomeOf(decompress(bytes, codec)).fault).toBeDefined();
  });
});

function outcomeOf(inflated: ReturnType<typeof decompress>): { fault?: string; bytes?: Buffer } {
  return inflated;
}

function bytesOf(inflated: ReturnType<typeof decompress>): Buffer | undefined {
  return outcomeOf(inflated).bytes;
}

function recordedPayload(compression: string, client = 'librdkafka'): Buffer {
  const bytes = recordedBatch(client, compression);
  return bytes.subarray(61, 12 + bytes.readInt32BE(8));
}

/** Makes a frame of blocks that are stored as they are. It claims the size that it has, or another. */
function zstdStored(bytes: Buffer, claimed = bytes.length): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  head.writeUInt32LE(claimed, 5);
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) {
    const part = bytes.subarray(at, at + 65_536);
    const block = Buffer.alloc(3);
    block.writeUIntLE((part.length << 3) | (at + part.length >= bytes.length ? 1 : 0), 0, 3);
    blocks.push(block, part);
  }
  return Buffer.concat([head, ...blocks]);
}

/** Rewrites the header of a frame of one segment, so that it does not say its size. */
function withoutSize(frame: Buffer): Buffer {
  const sizeBytes = [1, 2, 4, 8][frame[4]! >> 6]!;
  // The window is 4 MiB.
  return Buffer.concat([
    frame.subarray(0, 4),
    Buffer.from([0, (22 - 10) << 3]),
    frame.subarray(5 + sizeBytes + ((frame[4]! & 0x20) === 0 ? 1 : 0)),
  ]);
}
