import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RebuildReport } from '@runlog/aggregator/rebuild';
import { eventHeaders } from '@runlog/records/event-record';
import { decodeRunRecord } from '@runlog/records/run-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { readStoredPartition } from '@runlog/run-feed/stored-snapshots';
import { bringUpFold1 } from '@runlog/run-state/bring-up-fold-1';
import { evolve } from '@runlog/run-state/evolve';
import { topicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION, type RunSnapshot } from '@runlog/schema/run/snapshot';
import { runSnapshotFold1Schema } from '@runlog/schema/run/snapshot-fold-1';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { type CliProcess, runCli, startCli } from '../support/cli-process.ts';
import { epochCompleted } from '../support/event-factory.ts';
import {
  FOLD_1_PARTITIONS,
  fold1Log,
  fold1Snapshots,
  writeFold1Folder,
  writeFold1Topics,
} from '../support/fold-1-log.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { stopProcess } from '../support/stop-process.ts';
import { StreamSocket } from '../support/stream-socket.ts';
import { uniqueName } from '../support/unique-name.ts';

const WAIT = { timeout: 60_000, interval: 100 };
/** The runs in the log are older than the usual retention. */
const KEEP = { RUNLOG_EVENT_RETENTION_HOURS: '1000000', RUNLOG_RUN_RETENTION_HOURS: '1000000' };

const PORTS = { RUNLOG_INGEST_PORT: '0', RUNLOG_GATEWAY_PORT: '0', RUNLOG_AGGREGATOR_PORT: '0' };

/** A log that the last build with version 1 of the fold wrote. */
interface FormerLog extends AsyncDisposable {
  readonly env: Record<string, string>;
  readonly prefix: string;
  open(): Promise<TopicIo>;
}

async function onKafka(): Promise<FormerLog> {
  const brokers = inject('kafkaBrokers');
  const prefix = `${uniqueName('fold-1')}-`;
  await writeFold1Topics(brokers, prefix);
  return {
    env: { ...KEEP, KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix },
    prefix,
    open: () => openKafka({ brokers, clientId: 'by-hand', logger: silentLogger }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function onEmbedded(): Promise<FormerLog> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-fold-1-'));
  await writeFold1Folder(folder);
  return {
    env: { ...KEEP, RUNLOG_DATA_DIR: folder },
    prefix: '',
    open: () => openEmbedded({ folder, readOnly: true, logger: silentLogger }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const former = new Map(
  [...fold1Snapshots()].map(([key, bytes]) => [
    key,
    runSnapshotFold1Schema.parse(JSON.parse(bytes.toString())),
  ]),
);
const FORMER_EPOCH = [...former.values()][0]!.position.epoch;
const starts = fold1Log.topics.find(({ topic }) => topic === 'run-events')!.bounds;
const isGone = (key: string) =>
  former.get(key)!.first_seq < starts[partitionOf(key, FOLD_1_PARTITIONS)]!.startOffset;
const gone = [...former.keys()].filter(isGone);

/** Returns what a rebuild must write: every run folded anew, and those without a beginning on from their snapshots. */
function expectedRuns(epoch: string): Map<string, RunSnapshot> {
  const runs = new Map<string, RunSnapshot>();
  for (const key of gone) {
    const state = bringUpFold1(former.get(key)!);
    runs.set(key, { ...state, position: { epoch, seq: state.position.seq } });
  }
  for (const { topic, value, ...record } of fold1Log.records) {
    if (topic !== 'run-events') continue;
    const decoded = decodeRunRecord({ ...record, value: Buffer.from(value!) }, epoch);
    if (decoded.kind === 'unfoldable') continue;
    const state = evolve(runs.get(record.key) ?? null, decoded);
    if (state === null) runs.delete(record.key);
    else runs.set(record.key, state);
  }
  return runs;
}

async function stored(
  log: FormerLog,
): Promise<{ epoch: string; topic: string; runs: Map<string, RunSnapshot> }> {
  await using io = await log.open();
  const { epoch, snapshots: topic } = (await readMeta(io, topicNames(log.prefix)))!;
  const runs = new Map<string, RunSnapshot>();
  for (let partition = 0; partition < FOLD_1_PARTITIONS; partition += 1) {
    const { snapshots } = await readStoredPartition(io, { topic, partition });
    for (const [key, bytes] of snapshots) runs.set(key, JSON.parse(bytes.toString()) as RunSnapshot);
  }
  return { epoch, topic, runs };
}

async function recordsOf(log: FormerLog, topic: string): Promise<LogRecord[]> {
  await using io = await log.open();
  const found: LogRecord[] = [];
  await readToEnd(io, {
    ...{ topic: `${log.prefix}${topic}`, partitions: [0, 1] },
    onRecords: (records) => found.push(...records),
  });
  return found;
}

async function post(up: ServiceProcess, event: object): Promise<void> {
  const response = await fetch(`${up.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  });
  expect(await response.json()).toMatchObject({ accepted: 1 });
}

const started: CliProcess[] = [];
afterEach(async () => {
  for (const cli of started.splice(0)) {
    cli.process.kill('SIGKILL');
    await cli.ended;
  }
});

describe.each([
  ['embedded', onEmbedded],
  ['kafka', onKafka],
] as const)('a log of version 1 of the fold on %s', (engine, make) => {
  it('is brought up: runs are folded anew, those without a beginning go on, and subscribers get one snapshot each', async () => {
    await using log = await make();
    expect(gone).toHaveLength(5);
    if (engine === 'kafka') {
      const refused = await runCli(['up'], { ...PORTS, ...log.env });
      expect(refused.stderr).toContain(`written by fold version 1, this build has ${FOLD_VERSION}: run`);
      expect(refused.code).toBe(1);
      const { code, stdout } = await runCli(['rebuild', '--json'], log.env);
      expect(code).toBe(0);
      const report = JSON.parse(stdout) as RebuildReport;
      expect(report).toMatchObject({ before: null, runs: former.size, kept: gone.length, resumed: false });
      expect(report.former).toMatchObject({ fold: 1, epoch: FORMER_EPOCH });
    }
    await using up = await ServiceProcess.start('up', log.env);
    const { epoch, topic, runs } = await stored(log);
    expect(epoch).not.toBe(FORMER_EPOCH);
    expect(topic).toBe(`${log.prefix}run-snapshots.v2`);
    expect(Object.fromEntries(runs)).toEqual(Object.fromEntries(expectedRuns(epoch)));
    for (const key of gone) {
      const { total_events_received, duplicates } = former.get(key)!;
      const later = key.startsWith('local/gone-running/') ? 4 : 0;
      expect(runs.get(key)).toMatchObject({
        total_events_received: total_events_received + later,
        duplicates,
        first_seq: former.get(key)!.first_seq,
      });
    }

    // Subscribers held what the former build had shown them.
    await using socket = await StreamSocket.open(up.addresses.gateway!);
    for (const [index, [key, { position }]] of [...former].entries()) {
      socket.send({ id: index + 1, sub: [{ ch: `run:${key}`, since: position }] });
      const reply = await socket.next((frame) => frame.id === index + 1);
      expect(reply.snapshot).toMatchObject({ position: { epoch }, first_seq: runs.get(key)!.first_seq });
    }
    const key = gone.find((name) => name.startsWith('local/gone-running/'))!;
    await post(up, epochCompleted({ run_id: 'gone-running', emitter_id: 'trainer', emitter_seq: 85 }));
    const step = await socket.next((frame) => frame.entries !== undefined);
    expect(step).toMatchObject({ ch: `run:${key}`, prev: runs.get(key)!.position.seq });
    expect(socket.frames.filter((frame) => 'reset' in frame)).toEqual([]);

    await vi.waitFor(async () => {
      const verified = await runCli(['verify', '--json'], log.env);
      expect(JSON.parse(verified.stdout)).toMatchObject({
        ...{ ok: true, compared: former.size - gone.length, truncated: gone.length },
        unfoldable: 1,
      });
    }, WAIT);
    // What the former build had rejected is not rejected a second time.
    expect(await recordsOf(log, 'run-events-rejected')).toHaveLength(1);
    expect((await recordsOf(log, 'run-snapshots')).filter(({ value }) => value !== null).length).toBe(
      former.size + FOLD_1_PARTITIONS,
    );
  });
});

describe('runlog up on a folder of version 1 of the fold', () => {
  const LARGE_RUN = 'large-1';
  const LARGE = `local/${LARGE_RUN}/default`;
  const EVENTS = 150_000;

  /** Makes the second partition so large that a rebuild can be caught in it. */
  async function enlarge(log: FormerLog): Promise<void> {
    await using io = await openEmbedded({ folder: log.env.RUNLOG_DATA_DIR!, logger: silentLogger });
    await using writer = await io.writer();
    const partition = FOLD_1_PARTITIONS - 1;
    expect(partitionOf(LARGE, FOLD_1_PARTITIONS)).toBe(partition);
    for (let from = 0; from < EVENTS; from += 5_000) {
      const records = Array.from({ length: 5_000 }, (_, index) => {
        const event = epochCompleted({ run_id: LARGE_RUN, event_id: `large-${from + index}` });
        const timestampMs = Date.now();
        const headers = { [eventHeaders.receivedAt]: new Date(timestampMs).toISOString() };
        return { key: LARGE, value: Buffer.from(JSON.stringify(event)), headers, timestampMs };
      });
      const { fault } = await writer.append({ topic: 'run-events', partition, records });
      if (fault !== undefined) throw fault;
    }
  }

  /** Returns the offsets of what the rebuild has written, by partition. */
  async function written(log: FormerLog): Promise<Map<string, number>[]> {
    await using io = await log.open();
    const offsets = [new Map<string, number>(), new Map<string, number>()];
    const topic = 'run-snapshots.v2';
    if ((await io.describeTopic(topic)) === null) return offsets;
    await readToEnd(io, {
      ...{ topic, partitions: [0, 1] },
      onRecords: (records, partition) => {
        for (const { key, offset } of records) offsets[partition]!.set(key, offset);
      },
    });
    return offsets;
  }

  it('rebuilds it before the services start, says so in its log, and goes on after a kill -9 in the middle', async () => {
    await using log = await onEmbedded();
    await enlarge(log);
    const first = startCli(['up'], { ...PORTS, ...log.env });
    started.push(first);
    // The first partition is written, the second one has begun.
    const isInTheMiddle = async () => (await written(log))[1]!.has('#checkpoint');
    await expect.poll(isInTheMiddle, { interval: 5 }).toBe(true);
    await stopProcess(first.process.pid!);
    const torn = await written(log);
    first.process.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    expect(first.stdout()).toContain('an earlier build with another version of the fold wrote the snapshots');
    expect(first.stdout()).not.toContain('"msg":"ready"');
    expect((await stored(log)).topic).toBe('run-snapshots');

    await using up = await ServiceProcess.start('up', log.env);
    const lines = up.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ msg }) => String(msg).startsWith('an earlier build'))).toMatchObject({
      ...{ from: 1, to: FOLD_VERSION },
    });
    const done = lines.find(({ msg }) => String(msg).startsWith('the snapshots are rebuilt'));
    expect(done).toMatchObject({ resumed: true, runs: former.size + 1, kept: gone.length });
    const { epoch, runs } = await stored(log);
    const expected = expectedRuns(epoch);
    for (const [key, state] of expected) expect(runs.get(key)).toEqual(state);
    expect(runs.get(LARGE)).toMatchObject({ total_events_received: EVENTS });
    // What was written before the kill was not written again, and none of its events was folded again.
    const now = await written(log);
    const runsOf = (offsets: Map<string, number>) => [...offsets].filter(([key]) => key.startsWith('local/'));
    expect(runsOf(now[0]!)).toEqual(runsOf(torn[0]!));
    const { startOffset, stableEnd } = starts[1]!;
    expect(done!.events).toBeLessThanOrEqual(EVENTS + stableEnd - startOffset);

    // The next start has nothing to rebuild.
    await up.end('SIGTERM');
    await using again = await ServiceProcess.start('up', log.env);
    expect(again.output).not.toContain('rebuil');
  });
});
