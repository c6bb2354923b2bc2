import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { systemClock } from '@runlog/service-kit/clock';
import { createLogger } from '@runlog/service-kit/logger';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { readIngestConfig } from '../../services/ingest/src/config.ts';
import { startIngest } from '../../services/ingest/src/start-ingest.ts';
import { silentLogger } from './silent-logger.ts';

const PARTITIONS = 2;

/** Returns one event of the run r1 that ingest accepts. */
export function noteText(overrides: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    event_id: randomBytes(8).toString('hex'),
    event_type: 'NOTE',
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: 'r1',
    data: {},
    ...overrides,
  });
}

/** The real ingest, over an embedded log of its own and on a port of its own. */
export class EmbeddedIngest implements AsyncDisposable {
  readonly url: string;
  readonly io: TopicIo;
  readonly #end: () => Promise<void>;

  private constructor(held: { url: string; io: TopicIo; end: () => Promise<void> }) {
    this.url = held.url;
    this.io = held.io;
    this.#end = held.end;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<EmbeddedIngest> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-ingest-'));
    const io = await openEmbedded({ folder, logger: silentLogger });
    const config = readIngestConfig({
      KAFKA_BROKERS: 'not.used:1',
      RUNLOG_INGEST_PORT: '0',
      RUNLOG_PARTITIONS: String(PARTITIONS),
      ...env,
    });
    const running = await startIngest({
      ...{ config, io, clock: systemClock, random: Math.random },
      logger: createLogger({ service: 'ingest-test', level: 'silent' }),
      newEpoch: () => 'test',
      fail: (error) => {
        throw error;
      },
    });
    await running.ready;
    const end = async () => {
      await running[Symbol.asyncDispose]();
      await io[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    };
    return new EmbeddedIngest({ url: running.addresses.ingest!, io, end });
  }

  post(
    request: { headers?: Readonly<Record<string, string>>; body?: string; query?: string } = {},
  ): Promise<Response> {
    return fetch(`${this.url}/v1/events${request.query ?? ''}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', ...request.headers },
      body: request.body ?? noteText(),
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

  async #records(topic: string): Promise<LogRecord[]> {
    const found: LogRecord[] = [];
    const { length } = await this.io.bounds(topic);
    await readToEnd(this.io, {
      topic,
      partitions: Array.from({ length }, (_, partition) => partition),
      onRecords: (records) => found.push(...records),
    });
    return found;
  }
}
