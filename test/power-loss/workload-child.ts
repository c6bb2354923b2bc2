import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { type FencedWriter, type TopicIo, TopicIoError, type TopicWriter } from '@runlog/topic-io/topic-io';
import { silentLogger } from '../support/silent-logger.ts';
import type { FullDisk } from './recording.ts';
import { growBytes, type Operation, readState, workloadOf } from './workload.ts';

/**
 * Runs a workload on a real log, and writes into a file when each operation begins and when it is acknowledged. Those
 * writes stand among the log's own in the recording of this process.
 */
const [seedText, folder, marksPath, fullText] = process.argv.slice(2) as [string, string, string, string];
const full = JSON.parse(fullText) as FullDisk | null;
const { operations, states, startMs } = workloadOf(Number(seedText));
const marks = openSync(marksPath, 'w');
const attemptsMax = 50;

const mark = (text: string): void => void writeSync(marks, `${text}\n`);

interface Opened {
  readonly io: TopicIo;
  readonly writer: TopicWriter;
  readonly fenced: FencedWriter;
}

/** Without a listener the signal would end the process, where a full disk only refuses the write. */
process.on('SIGXFSZ', () => undefined);

/** The limit stands in for a full disk: a write beyond it is refused, or done in part. */
function limitFileBytes(bytes: number | 'unlimited'): void {
  const { status } = spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
  if (status !== 0) throw new Error('the limit could not be set');
}

let nowMs = startMs;
let opened = null as Opened | null;

async function open(): Promise<Opened> {
  const io = await openEmbedded({ folder, growBytes, logger: silentLogger, now: () => nowMs });
  try {
    return { io, writer: await io.writer(), fenced: await io.fencedWriter('workload') };
  } catch (error) {
    await io[Symbol.asyncDispose]();
    throw error;
  }
}

async function close(): Promise<void> {
  const closing = opened;
  opened = null;
  await closing?.fenced[Symbol.asyncDispose]();
  await closing?.writer[Symbol.asyncDispose]();
  await closing?.io[Symbol.asyncDispose]();
}

async function run(operation: Operation, after: string): Promise<void> {
  if (operation.kind === 'reopen') {
    await close();
    nowMs = operation.nowMs;
  }
  opened ??= await open();
  const { io, writer, fenced } = opened;
  switch (operation.kind) {
    case 'ensure':
      await io.ensureTopics([operation.spec]);
      return;
    case 'append': {
      const results = await Promise.all(operation.batches.map((batch) => writer.append(batch)));
      for (const { fault } of results) if (fault !== undefined) throw fault;
      return;
    }
    case 'commit':
      await fenced.commit({
        records: operation.batches,
        offsets: [{ group: 'group', topic: 'events', partition: 0, offset: 1 }],
      });
      return;
    case 'delete':
      await io.deleteTopic(operation.topic);
      return;
    case 'reopen':
      // Old records are removed in the background.
      while ((await readState(io)) !== after) await delay(1);
      return;
    default:
      operation satisfies never;
  }
}

let refusals = 0;
for (const [index, operation] of operations.entries()) {
  mark(`begin ${index}`);
  if (full?.operation === index) limitFileBytes(statSync(join(folder, 'log.mdb')).size + full.bytes);
  for (let attempt = 0; ; attempt += 1) {
    try {
      await run(operation, states[index + 1]!);
      break;
    } catch (error) {
      if (!(error instanceof TopicIoError) || attempt === attemptsMax) throw error;
      if (error.code !== 'storage_full') throw error;
      mark(`refused ${index} ${error.code}`);
      refusals += 1;
      if (refusals === full?.refusals) limitFileBytes('unlimited');
      // A spent writer needs a new one.
      if (operation.kind === 'commit') await close();
    }
  }
  mark(`acknowledged ${index}`);
  if (opened !== null && (await readState(opened.io)) !== states[index + 1]) {
    mark(`wrong ${index}`);
    throw new Error(`after operation ${index} (${operation.kind}) the log is not what it should be`);
  }
}
await close();
closeSync(marks);
