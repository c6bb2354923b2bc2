import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../support/silent-logger.ts';

/** A log that an earlier runlog wrote, before rows had checksums. */
const stored = new URL('../fixtures/power-loss/format-1-log.mdb.br', import.meta.url);

async function recordsOf(io: TopicIo, topic: string, partition: number): Promise<LogRecord[]> {
  await using reader = io.reader({ topic });
  reader.add({ partition, offset: 0 });
  const records: LogRecord[] = [];
  for await (const fetched of reader) {
    if (fetched.kind === 'out_of_range') break;
    records.push(...fetched.records);
    if (fetched.nextOffset === fetched.stableEnd) break;
  }
  return records;
}

it('reads and continues a log of the first format, whose rows have no checksums', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-format-1-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const marker = join(folder, 'runlog-log.json');
  await writeFile(join(folder, 'log.mdb'), brotliDecompressSync(await readFile(stored)));
  await writeFile(marker, '{"name":"runlog embedded log","version":1,"state":"ready","dataBytes":65536}\n');
  const record = { key: 'new', value: Buffer.from('new'), headers: {}, timestampMs: 5_000 };
  const expectOld = async (io: TopicIo): Promise<void> => {
    const events = await recordsOf(io, 'events', 1);
    expect(events.slice(0, 2).map((one) => [one.key, one.value?.toString()])).toEqual([
      ['key-1', '1'.repeat(2_000)],
      ['key-3', '3'.repeat(6_000)],
    ]);
    const states = await recordsOf(io, 'states', 0);
    expect(states.map((one) => [one.offset, one.key, one.value?.toString()]).slice(0, 2)).toEqual([
      [1, 'b', undefined],
      [2, 'a', 'state 2'],
    ]);
  };

  {
    await using reader = await openEmbedded({ folder, readOnly: true, logger: silentLogger });
    await expectOld(reader);
  }
  {
    await using io = await openEmbedded({ folder, logger: silentLogger, now: () => 5_000 });
    await expectOld(io);
    await using writer = await io.writer();
    expect(await writer.append({ topic: 'events', partition: 1, records: [record] })).toMatchObject({
      acknowledged: 1,
      baseOffset: 2,
    });
    await using fenced = await io.fencedWriter('writer');
    await fenced.commit({ records: [{ topic: 'states', partition: 0, records: [{ ...record, key: 'a' }] }] });
  }
  expect(JSON.parse(await readFile(marker, 'utf8'))).toMatchObject({ version: 2, mayBeUnsealed: true });
  await using io = await openEmbedded({ folder, logger: silentLogger, now: () => 5_000 });
  expect((await recordsOf(io, 'events', 1)).map((one) => one.key)).toEqual(['key-1', 'key-3', 'new']);
  expect((await recordsOf(io, 'states', 0)).map((one) => [one.offset, one.key])).toEqual([
    [1, 'b'],
    [3, 'a'],
  ]);
});
