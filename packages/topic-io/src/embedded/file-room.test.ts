import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Logger } from '../logger.ts';
import type { RecordToAppend } from '../topic-io.ts';
import { FileRoom } from './file-room.ts';
import { openEmbedded } from './open-embedded.ts';

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const growBytes = 64 * 1024;

/** The number of bytes of the pages that LMDB has used so far, from its two meta pages. */
async function usedBytes(path: string): Promise<number> {
  const content = await readFile(path);
  const pageBytes = content.readUInt32LE(48);
  const lastPages = [0, pageBytes].map((at) => Number(content.readBigUInt64LE(at + 144)));
  return (Math.max(...lastPages) + 1) * pageBytes;
}

describe('the file of an embedded log', () => {
  it('is made larger before LMDB needs it, and never by LMDB, whose sync does not promise the new size', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-file-room-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'log.mdb');
    const io = await openEmbedded({ folder, logger, growBytes });
    const sizes = new Set<number>();
    const look = async (): Promise<void> => {
      const { size } = await stat(path);
      expect(await usedBytes(path)).toBeLessThanOrEqual(size);
      sizes.add(size);
    };
    const settings = {};
    await io.ensureTopics([
      { name: 'events', partitions: 3, cleanupPolicy: 'delete', settings },
      { name: 'states', partitions: 3, cleanupPolicy: 'compact', settings },
    ]);
    await look();
    const writer = await io.writer();
    const fenced = await io.fencedWriter('id');
    for (let round = 0; round < 120; round += 1) {
      const records = Array.from({ length: 1 + ((round * 37) % 90) }, (_, index): RecordToAppend => {
        const number = round * 31 + index * 17;
        return {
          key: `key-${(number * 7_919) % 400}`,
          value: Buffer.alloc(number % 11 === 0 ? (number * 97) % 20_000 : (number * 13) % 1_500),
          headers: { event_type: 'STEP' },
          timestampMs: number,
        };
      });
      const partition = round % 3;
      if (round % 2 === 0) await writer.append({ topic: 'events', partition, records });
      else await fenced.commit({ records: [{ topic: 'states', partition, records }] });
      await look();
    }
    await io.deleteTopic('events');
    await io[Symbol.asyncDispose]();
    await look();
    // Of what LMDB writes by itself the size would be any number of pages.
    expect([...sizes].filter((size) => size % growBytes !== 0)).toEqual([]);
    expect(sizes.size).toBeGreaterThan(5);
  });

  it.each([1_000, 1_300, 1_450, 1_900])(
    'is large enough for records of %i bytes, of which a page holds few',
    async (recordBytes) => {
      const folder = await mkdtemp(join(tmpdir(), 'runlog-file-room-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const path = join(folder, 'log.mdb');
      const io = await openEmbedded({ folder, logger, growBytes });
      await io.ensureTopics([{ name: 'events', partitions: 4, cleanupPolicy: 'delete', settings: {} }]);
      const writer = await io.writer();
      const records = Array.from(
        { length: 400 },
        (): RecordToAppend => ({
          key: 'c/r/g',
          value: Buffer.alloc(recordBytes, 'x'),
          headers: {},
          timestampMs: 0,
        }),
      );
      for (let round = 0; round < 8; round += 1) {
        await writer.append({ topic: 'events', partition: (round * 3) % 4, records });
        const { size } = await stat(path);
        expect(size % growBytes).toBe(0);
        expect(await usedBytes(path)).toBeLessThanOrEqual(size);
      }
      await io[Symbol.asyncDispose]();
    },
  );

  it('is never written over, whoever has made it larger', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-file-room-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'log.mdb');
    await writeFile(path, Buffer.alloc(4_096, 'a'));
    const room = await FileRoom.of(path, { growBytes });
    await appendFile(path, Buffer.alloc(growBytes, 'b'));
    await room.reach(2 * growBytes);
    const content = await readFile(path);
    expect(content.subarray(4_096, 4_096 + growBytes).every((byte) => byte === 'b'.charCodeAt(0))).toBe(true);
    expect(content.length).toBeGreaterThanOrEqual(2 * growBytes);
    expect(room.bytes).toBe(content.length);
  });
});
