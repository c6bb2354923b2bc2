import type { RunMeta } from '@runlog/records/meta-record';
import { encodeMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { topicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { RecordToAppend, TopicIo } from '@runlog/topic-io/topic-io';
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

  /** Deletes the events topic, and makes it anew with these records. */
  async function remade(records: readonly RecordToAppend[]): Promise<void> {
    const topic = `${prefix}run-events`;
    await io.deleteTopic(topic);
    await vi.waitFor(async () => expect(await io.describeTopic(topic)).toBeNull(), 60_000);
    await io.ensureTopics([{ name: topic, partitions: 1, cleanupPolicy: 'delete', settings: {} }]);
    await using writer = await io.writer();
    const { acknowledged } = await writer.append({ topic, partition: 0, records });
    expect(acknowledged).toBe(records.length);
  }

  async function events(): Promise<RecordToAppend[]> {
    const found: RecordToAppend[] = [];
    await readToEnd(io, {
      ...{ topic: `${prefix}run-events`, partitions: [0] },
      onRecords: (records) => found.push(...records),
    });
    return found;
  }

  const ofOthers = () =>
    Array.from({ length: 200 }, (_, index) => ({
      key: 'local/other/default',
      value: Buffer.from(`{"event_id":"other-${index}"}`),
      headers: {},
      timestampMs: Date.now(),
    }));

  it('refuses an events topic that was recreated and has grown past the snapshots', async () => {
    await filled();
    await remade(ofOthers());
    expect(await refusal()).toContain('was recreated: its id is');
    // A build that knew no ids wrote this. The ids tell nothing then, and the records do.
    await writeMeta({ events_id: undefined });
    expect(await refusal()).toContain('another record is there');
  });

  it('refuses one with the same events in the same places, unless a rebuild is told that it was moved', async () => {
    await filled();
    const epochOf = async () => (await readMeta(io, topicNames(prefix)))!.epoch;
    const epoch = await epochOf();
    await remade(await events());
    expect(await refusal()).toContain('"runlog rebuild --moved"');
    const moved = await runCli(['rebuild', '--moved'], env);
    expect(moved, moved.stderr).toMatchObject({ code: 0 });
    expect(moved.stdout).toContain('the same epoch');
    {
      await using up = await ServiceProcess.start('up', env);
      const shown = await fetch(`${up.addresses.gateway}/v1/runs/local/short/default`);
      expect(await shown.json()).toMatchObject({ total_events_received: 34 });
    }
    await remade(await events());
    const rebuilt = await runCli(['rebuild'], env);
    expect(rebuilt.stdout).toContain('a new epoch');
    expect(await epochOf()).not.toBe(epoch);
    await using _ = await ServiceProcess.start('up', env);
  });

  it('ends services that were asleep until the recreated events had grown past them', async () => {
    await using aggregator = await ServiceProcess.start('aggregator', env);
    await using gateway = await ServiceProcess.start('gateway', env);
    await using ingest = await ServiceProcess.start('ingest', env);
    await postRecording(ingest);
    await vi.waitFor(async () => expect((await runCli(['verify'], env)).code).toBe(0), {
      timeout: 60_000,
      interval: 200,
    });
    for (const service of [aggregator, gateway]) process.kill(service.pid, 'SIGSTOP');
    await remade(ofOthers());
    for (const service of [aggregator, gateway]) process.kill(service.pid, 'SIGCONT');
    for (const service of [aggregator, gateway]) {
      await expect.poll(() => service.ended, { timeout: 60_000 }).toBe(true);
      expect(service.output).toContain('was recreated: its id is');
    }
    expect(ingest.ended).toBe(false);
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
