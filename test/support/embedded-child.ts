import { writeSync } from 'node:fs';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type RecordToAppend, type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { silentLogger } from './silent-logger.ts';

/**
 * A process over an embedded log, for tests that need a real one. `load` appends until it is killed and reports what
 * was acknowledged, `follow` reads beside the owner, and `own` holds the folder until its input ends. Each fact is
 * printed as one line of JSON.
 */
const recordsPerBatch = 40;

function say(fact: object): void {
  writeSync(1, `${JSON.stringify(fact)}\n`);
}

/** Appends records whose value is their offset, so that a lost, doubled or moved one is noticed. */
async function load(io: TopicIo): Promise<void> {
  await io.ensureTopics([
    { name: 'plain', partitions: 3, cleanupPolicy: 'delete', settings: {} },
    { name: 'atomic', partitions: 2, cleanupPolicy: 'delete', settings: {} },
  ]);
  const batchFrom = (start: number): RecordToAppend[] =>
    Array.from({ length: recordsPerBatch }, (_, index) => ({
      key: 'k',
      value: Buffer.from(String(start + index).padEnd(925)),
      headers: { event_type: 'LOAD' },
      timestampMs: Date.now(),
    }));
  await using writer = await io.writer();
  await using fenced = await io.fencedWriter('load');

  const appendForEver = async (partition: number): Promise<never> => {
    let next = (await io.bounds('plain'))[partition]?.stableEnd ?? 0;
    for (;;) {
      const result = await writer.append({ topic: 'plain', partition, records: batchFrom(next) });
      if (result.fault !== undefined) throw result.fault;
      next += result.acknowledged;
      say({ topic: 'plain', partition, next });
    }
  };
  const commitForEver = async (): Promise<never> => {
    let next = (await io.bounds('atomic'))[0]?.stableEnd ?? 0;
    for (;;) {
      const records = batchFrom(next);
      await fenced.commit({ records: [0, 1].map((partition) => ({ topic: 'atomic', partition, records })) });
      next += records.length;
      say({ topic: 'atomic', partition: 0, next });
      say({ topic: 'atomic', partition: 1, next });
    }
  };
  await Promise.all([appendForEver(0), appendForEver(1), appendForEver(2), commitForEver()]);
}

async function follow(io: TopicIo, topic: string): Promise<void> {
  const writing = await io.writer().then(
    () => 'allowed',
    (error: TopicIoError) => error.code,
  );
  say({ open: true, writing });
  const reader = io.reader({ topic });
  reader.add({ partition: 0, offset: 0 });
  for await (const fetched of reader) {
    if (fetched.kind === 'records') for (const one of fetched.records) say({ value: one.value?.toString() });
  }
}

const [mode, folder = '', topic = ''] = process.argv.slice(2);
try {
  const io = await openEmbedded({ folder, readOnly: mode === 'follow', logger: silentLogger });
  process.stdin.on('end', () => void io[Symbol.asyncDispose]());
  process.stdin.resume();
  if (mode === 'load') await load(io);
  else if (mode === 'follow') await follow(io, topic);
  else say({ open: true });
} catch (error) {
  if (!(error instanceof TopicIoError)) throw error;
  say({ refused: error.code, message: error.message });
  process.stdin.destroy();
}
