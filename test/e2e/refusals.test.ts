import type { RunMeta } from '@runlog/records/meta-record';
import { encodeMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { topicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { recording } from '../support/recordings.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

/** In these cases runlog must not continue. It says what it found and what to do, and ends. */
describe('runlog on topics that contradict each other', () => {
  let io: TopicIo;
  let prefix: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    const brokers = inject('kafkaBrokers');
    prefix = `${uniqueName('refuse')}-`;
    env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
    io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  });
  afterEach(async () => {
    await io?.[Symbol.asyncDispose]();
  });

  /** Runs the system over the recording until its snapshot is stored, then stops it. */
  async function filled(): Promise<void> {
    await using up = await ServiceProcess.start('up', env);
    await postRecording(up);
    await vi.waitFor(async () => expect((await runCli(['verify'], env)).code).toBe(0), {
      timeout: 60_000,
      interval: 200,
    });
    await up.end('SIGTERM');
  }

  async function postRecording(up: ServiceProcess): Promise<void> {
    const response = await fetch(`${up.addresses.ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: recording('short').lines.join('\n'),
    });
    expect(response.status).toBe(200);
  }

  async function writeMeta(change: Partial<RunMeta>): Promise<void> {
    const topics = topicNames(prefix);
    const meta = { ...(await readMeta(io, topics))!, ...change };
    await using writer = await io.fencedWriter(topics.meta);
    await writer.commit({ records: [{ topic: topics.meta, partition: 0, records: [encodeMeta(meta, 0)] }] });
  }

  async function refusal(): Promise<string> {
    const { code, stdout, stderr } = await runCli(['up'], {
      ...env,
      RUNLOG_INGEST_PORT: '0',
      RUNLOG_GATEWAY_PORT: '0',
      RUNLOG_AGGREGATOR_PORT: '0',
    });
    expect(code).toBe(1);
    return stdout + stderr;
  }

  it('ends a running process, and refuses to start one, when a newer build writes', async () => {
    const up = await ServiceProcess.start('up', env);
    await using _ = up;
    await writeMeta({ fold: FOLD_VERSION + 1 });
    await vi.waitFor(() => expect(up.ended).toBe(true), { timeout: 60_000, interval: 100 });
    expect(await up.end('SIGTERM')).toBe(1);
    expect(up.output).toContain(`fold version ${FOLD_VERSION + 1}`);
    expect(await refusal()).toContain('update this process');
  });

  it('refuses an events topic whose partition count differs from run-meta', async () => {
    await filled();
    await writeMeta({ partitions: 2 });
    expect(await refusal()).toContain('has 1 partitions, but run-meta says 2');
  });

  it('refuses an events topic that was recreated and is shorter than the snapshots', async () => {
    await filled();
    await io.deleteTopic(`${prefix}run-events`);
    const said = await refusal();
    expect(said).toContain('was recreated');
    expect(said).toContain('runlog rebuild');
  });

  it('refuses an events topic that was recreated and has grown past the snapshots', async () => {
    await filled();
    await io.deleteTopic(`${prefix}run-events`);
    await vi.waitFor(async () => expect(await io.describeTopic(`${prefix}run-events`)).toBeNull(), 60_000);
    await io.ensureTopics([
      { name: `${prefix}run-events`, partitions: 1, cleanupPolicy: 'delete', settings: {} },
    ]);
    await using writer = await io.writer();
    const records = Array.from({ length: 200 }, (_, index) => ({
      key: 'local/other/default',
      value: Buffer.from(`{"event_id":"other-${index}"}`),
      headers: {},
      timestampMs: Date.now(),
    }));
    await writer.append({ topic: `${prefix}run-events`, partition: 0, records });
    expect(await refusal()).toContain('another record is there');
  });

  it('puts what no fold can read into the rejected topic, with where and why, and folds on', async () => {
    await using up = await ServiceProcess.start('up', env);
    await using writer = await io.writer();
    const record = (key: string, value: string) => ({
      key,
      value: Buffer.from(value),
      headers: {},
      timestampMs: Date.now(),
    });
    const { baseOffset } = await writer.append({
      topic: `${prefix}run-events`,
      partition: 0,
      records: [
        record('local/r/default', 'not json'),
        record('no key', '{}'),
        record('local/r/default', '{}'),
      ],
    });
    await postRecording(up);
    await vi.waitFor(
      async () => {
        const response = await fetch(`${up.addresses.gateway}/v1/runs/local/short/default`);
        expect(await response.json()).toMatchObject({ total_events_received: 34 });
        expect((await runCli(['verify'], env)).code).toBe(0);
      },
      { timeout: 60_000, interval: 200 },
    );
    const rejected: string[] = [];
    await using reader = io.reader({ topic: `${prefix}run-events-rejected` });
    reader.add({ partition: 0, offset: 0 });
    for await (const fetched of reader) {
      if (fetched.kind !== 'records') break;
      for (const { headers } of fetched.records) rejected.push(headers.origin!);
      if (fetched.nextOffset >= fetched.stableEnd) break;
    }
    expect(rejected).toEqual([0, 1, 2].map((at) => `${prefix}run-events:0:${baseOffset + at}`));
  });
});
