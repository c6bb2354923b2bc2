/**
 * Records batches of the Java client, and of librdkafka, which most other languages use, for the tests of our decoder, and
 * checks that librdkafka reads what we write. `npm run record-batches` needs Java 17 and Maven for the broker, and Python with venv and pip.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { startCluster } from '../test/support/broker.ts';
import { produceByJava } from '../test/support/java-client.ts';
import {
  RECORDED_COMPRESSIONS,
  type RecordedRecord,
  recordedRecords,
  recordingFile,
} from '../test/support/recorded-batches.ts';
import { silentLogger } from '../test/support/silent-logger.ts';
import { fetchedBytes } from '../test/support/stored-batches.ts';

const CLIENT = new URL('./librdkafka-client.py', import.meta.url).pathname;
/** The Python package brings librdkafka with it. */
const PACKAGE = 'confluent-kafka==2.16.1';

const python = await installed();
await using cluster = await startCluster({ count: 1 });
await using io = await openKafka({
  ...{ brokers: cluster.brokers, clientId: 'runlog-record', logger: silentLogger },
});
const brokers = cluster.brokers.join(',');
const records = recordedRecords();
let failed = 0;
for (const compression of RECORDED_COMPRESSIONS) {
  const byLibrdkafka = await createTopic(io, `librdkafka-${compression}`);
  await client(['produce', brokers, byLibrdkafka, compression], JSON.stringify(records));
  const byJava = await createTopic(io, `java-${compression}`);
  await produceByJava(cluster, { topic: byJava, compression, records });
  for (const topic of [byLibrdkafka, byJava]) {
    const file = recordingFile(topic.split('-')[0]!, compression);
    await mkdir(new URL('.', file), { recursive: true });
    await writeFile(file, await fetchedBytes(cluster.brokers, topic));
  }
  const ours = await createTopic(io, `ours-${compression}`);
  await using writer = await io.writer({ compression });
  const { acknowledged } = await writer.append({ topic: ours, partition: 0, records: records.map(toAppend) });
  const read: unknown = JSON.parse(await client(['consume', brokers, ours, String(records.length)]));
  const isRead = acknowledged === records.length && isDeepStrictEqual(read, records);
  if (!isRead) failed += 1;
  process.stdout.write(
    `${compression}: recorded; ours ${isRead ? 'are read' : 'are NOT READ'} by librdkafka\n`,
  );
}
process.exitCode = failed > 0 ? 1 : 0;

async function createTopic(log: TopicIo, name: string): Promise<string> {
  await log.ensureTopics([{ name, partitions: 1, cleanupPolicy: 'delete', settings: {} }]);
  return name;
}

function toAppend({ value, ...rest }: RecordedRecord) {
  return { ...rest, value: Buffer.from(value) };
}

/** Returns the Python of a virtual environment in ~/.cache/runlog, which is made once. */
async function installed(): Promise<string> {
  const venv = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'runlog',
    `librdkafka-${PACKAGE}`,
  );
  const command = join(venv, 'bin', 'python');
  const complete = join(venv, 'complete');
  if (existsSync(complete)) return command;
  await rm(venv, { recursive: true, force: true });
  await run(['python3', '-m', 'venv', venv]);
  await run([command, '-m', 'pip', 'install', '--quiet', PACKAGE]);
  await writeFile(complete, '');
  return command;
}

function client(options: readonly string[], input = ''): Promise<string> {
  return run([python, CLIENT, ...options], input);
}

async function run([command, ...options]: readonly string[], input = ''): Promise<string> {
  const child = spawn(command!, options, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  child.stdin.end(input);
  const [output, [code]] = await Promise.all([text(child.stdout), exited]);
  if (code !== 0) throw new Error(`${command} ${options.join(' ')} ended with ${code}`);
  return output;
}
