import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { startBroker, type TestBrokers } from '../test/support/broker.ts';

/** The version that test/support/broker-maven.ts fetches. */
const KAFKA_VERSION = '4.3.1';

/** Starts one broker for a benchmark: `KAFKA_BROKERS`, or one that is found as the tests find theirs. */
export async function startBenchBroker(): Promise<TestBrokers> {
  const broker = await startBroker(`bench-${randomUUID()}-`);
  process.stderr.write(`broker: ${broker.way}\n`);
  return broker;
}

/** Creates a topic that is deleted after the benchmark, so that a shared cluster keeps nothing. */
export async function createTopic(
  io: TopicIo,
  topic: { name: string; partitions: number },
): Promise<AsyncDisposable> {
  await io.ensureTopics([{ ...topic, cleanupPolicy: 'delete', settings: { 'retention.ms': '3600000' } }]);
  return { [Symbol.asyncDispose]: () => io.deleteTopic(topic.name) };
}

/**
 * Measures the records per second of Kafka's own ProducerPerformance with acks=all, which is the limit of this machine
 * and broker. It needs the jars that the tests fetch, and Java.
 */
export async function producerPerformance(options: {
  brokers: readonly string[];
  topic: string;
  recordBytes: number;
  records: number;
}): Promise<number> {
  const jars = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'runlog',
    `kafka-${KAFKA_VERSION}`,
    '*',
  );
  const output = await run('java', [
    ...['-Xmx512m', '-XX:+UseSerialGC', '-cp', jars, 'org.apache.kafka.tools.ProducerPerformance'],
    ...['--bootstrap-server', options.brokers.join(',')],
    ...['--topic', options.topic, '--num-records', String(options.records)],
    ...['--record-size', String(options.recordBytes), '--throughput', '-1'],
    ...['--warmup-records', String(Math.floor(options.records / 4))],
    ...['--command-property', 'acks=all', 'batch.size=262144', 'linger.ms=5', 'buffer.memory=67108864'],
  ]);
  const rates = [...output.matchAll(/records sent, ([\d.]+) records\/sec/g)].map((match) => Number(match[1]));
  const last = rates.at(-1);
  if (last === undefined) throw new Error(`ProducerPerformance printed no rate:\n${output}`);
  return last;
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', reject);
    child.once('exit', (code) => {
      process.removeListener('exit', kill);
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}:\n${output}`));
    });
  });
}
