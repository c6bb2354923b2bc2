import { randomBytes } from 'node:crypto';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { readIngestConfig } from '../../services/ingest/src/config.ts';
import { startIngest } from '../../services/ingest/src/start-ingest.ts';
import { silentLogger } from './silent-logger.ts';
import { uniqueName } from './unique-name.ts';

const PARTITIONS = 3;

/** The real ingest over topics of its own on a real broker, and what is in them. */
export class KafkaIngest implements AsyncDisposable {
  readonly url: string;
  readonly #prefix: string;
  readonly #reading: TopicIo;
  readonly #end: () => Promise<void>;

  private constructor(held: { url: string; prefix: string; reading: TopicIo; end: () => Promise<void> }) {
    this.url = held.url;
    this.#prefix = held.prefix;
    this.#reading = held.reading;
    this.#end = held.end;
  }

  /** Ingest reaches the brokers under `brokers`, and what it stored is read under `readFrom`. */
  static async start(options: {
    brokers: readonly string[];
    readFrom?: readonly string[];
    prefix?: string;
    env?: Readonly<Record<string, string>>;
  }): Promise<KafkaIngest> {
    const { brokers } = options;
    const prefix = options.prefix ?? `${uniqueName('senders')}.`;
    const config = readIngestConfig({
      KAFKA_BROKERS: brokers.join(','),
      RUNLOG_INGEST_PORT: '0',
      RUNLOG_PARTITIONS: String(PARTITIONS),
      RUNLOG_TOPIC_PREFIX: prefix,
      ...options.env,
    });
    const io = await openKafka({ brokers: [...brokers], clientId: 'senders-e2e', logger: silentLogger });
    const reading = await openKafka({
      ...{ brokers: [...(options.readFrom ?? brokers)], clientId: 'senders-reader', logger: silentLogger },
    });
    const running = await startIngest({
      ...{ config, io, clock: systemClock, random: Math.random },
      logger: createLogger({ service: 'ingest-test', level: 'silent' }),
      newEpoch: () => randomBytes(4).toString('hex'),
      fail: (error) => {
        throw error;
      },
    });
    await running.ready;
    const end = async () => {
      await running[Symbol.asyncDispose]();
      await io[Symbol.asyncDispose]();
      await reading[Symbol.asyncDispose]();
    };
    return new KafkaIngest({ url: running.addresses.ingest!, prefix, reading, end });
  }

  post(
    path: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
  }

  events(): Promise<LogRecord[]> {
    return this.#records('run-events');
  }

  rejected(): Promise<LogRecord[]> {
    return this.#records('run-events-rejected');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #records(name: string): Promise<LogRecord[]> {
    const topic = `${this.#prefix}${name}`;
    const found: LogRecord[] = [];
    const { length } = await this.#reading.bounds(topic);
    await readToEnd(this.#reading, {
      topic,
      partitions: Array.from({ length }, (_, partition) => partition),
      onRecords: (records) => found.push(...records),
    });
    return found;
  }
}
