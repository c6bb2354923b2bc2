import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Where Kafka's own Java programs are, and the brokers they are to talk to. */
export interface JavaClient {
  readonly classpath: string;
  readonly brokers: readonly string[];
}

export interface TextRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

const FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const TOOLS = 'org.apache.kafka.tools';

/** Has the Java producer write records in one batch, compressed in the given way. */
export async function produceByJava(
  client: JavaClient,
  batch: { topic: string; compression: string; records: readonly TextRecord[] },
): Promise<void> {
  const properties = { 'parse.key': true, 'parse.headers': true };
  const lines = batch.records.map(({ key, value, headers }) => {
    const named = Object.entries(headers).map(([name, of]) => `${name}:${of}`);
    return `${named.join(',')}\t${key}\t${value}\n`;
  });
  await runTool(client, {
    tool: `${TOOLS}.ConsoleProducer`,
    options: [
      ...['--topic', batch.topic, '--compression-codec', batch.compression],
      ...['--max-partition-memory-bytes', '900000'],
      ...flags('--reader-property', properties),
    ],
    input: lines.join(''),
  });
}

/** Has the Java consumer read `count` records of some topics, from their beginnings. It goes from topic to topic as it likes. */
export async function consumeByJava(
  client: JavaClient,
  from: { topics: readonly string[]; count: number },
): Promise<TextRecord[]> {
  const printed = { 'print.key': true, 'print.headers': true };
  const output = await runTool(client, {
    tool: `${TOOLS}.consumer.ConsoleConsumer`,
    options: [
      ...['--include', from.topics.join('|'), '--from-beginning', '--max-messages', String(from.count)],
      ...flags('--formatter-property', printed),
    ],
    input: '',
  });
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [headers = '', key = '', value = ''] = line.split('\t');
    const named = headers.split(',').map((header) => header.split(':') as [string, string]);
    return { key, value, headers: Object.fromEntries(named) };
  });
}

function flags(option: string, values: Readonly<Record<string, string | number | boolean>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [option, `${name}=${value}`]);
}

/** Runs a program of Kafka's own. Resolves to what it printed, and rejects if it failed. */
export async function runTool(
  { classpath, brokers }: JavaClient,
  run: { tool: string; options: readonly string[]; input: string },
): Promise<string> {
  const options = ['--bootstrap-server', brokers.join(','), ...run.options];
  const child = spawn('java', ['-cp', classpath, ...FLAGS, run.tool, ...options]);
  const exited = once(child, 'exit');
  child.stdin.end(run.input);
  const [output, faults, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`${run.tool} ended with ${code}: ${faults}`);
  return output;
}
