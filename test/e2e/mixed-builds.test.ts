import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventHeaders } from '@runlog/records/event-record';
import type { RunMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { readStoredPartition } from '@runlog/run-feed/stored-snapshots';
import { topicNames } from '@runlog/schema/log/topics';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { partitionOf } from '@runlog/topic-io/partitioner';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { SecondBuild } from '../support/second-build.ts';
import { type ServiceName, ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const WAIT = { timeout: 60_000, interval: 200 };
const PARTITIONS = 4;
const NEWER_FOLD = FOLD_VERSION + 1;

type Env = Readonly<Record<string, string>>;

let made = 0;

/** Writes JSON as Python does, with spaces. Exactly these bytes must come back. */
function line(run: string, fields: { type: string; data: object }): string {
  made += 1;
  const event = {
    event_id: `mixed-${made}`,
    event_type: fields.type,
    timestamp: '2026-01-03T23:59:47.900000+00:00',
    run_id: run,
  };
  return `${JSON.stringify(event).slice(0, -1).replaceAll(',', ', ')}, "data":  ${JSON.stringify(fields.data)}}`;
}

const epoch = (run: string, more: object = {}) =>
  line(run, {
    type: 'EPOCH_COMPLETED',
    data: { env_id: 0, val_accuracy: 61.5, val_loss: 1.04, inner_epoch: 1, ...more },
  });
const fossilized = (run: string) =>
  line(run, {
    type: 'SEED_FOSSILIZED',
    data: { slot_id: 'r0c0', env_id: 0, blueprint_id: 'conv', improvement: 1, params_added: 1 },
  });
const checkpointSaved = (run: string, data: object) => line(run, { type: 'CHECKPOINT_SAVED', data });

/**
 * Makes a newer build of the same fold, which knows a field and a type that the older one does not. It judges them only
 * at ingest, as test/unit/judged-by-the-fold.test.ts demands.
 */
const sameFold = () =>
  SecondBuild.make([
    {
      file: 'packages/schema/src/events/event.ts',
      replace: /SCHEMA_VERSION = '1'/,
      by: "SCHEMA_VERSION = '1.1'",
    },
    {
      // The fields that it judges are none of those that a walk over the body reads.
      file: 'services/ingest/src/accept-batch.ts',
      replace: /if \(!use\.legible \|\| use\.keepsJson\) return undefined;/,
      by: 'return undefined;',
    },
    {
      file: 'services/ingest/src/accept-batch.ts',
      replace: /(\n {2}const verdict = validateEvent\(value\);\n)/,
      by: `$1  if (isObject(value) && isObject(value.data)) {
    const { path, learning_rate } = value.data;
    if (value.event_type === 'CHECKPOINT_SAVED' && typeof path !== 'string') {
      return { kind: 'fault', code: 'schema', path: 'data.path', message: 'is required', value };
    }
    if (typeof (learning_rate ?? 0) !== 'number') {
      return { kind: 'fault', code: 'schema', path: 'data.learning_rate', message: 'must be a number', value };
    }
  }
`,
    },
  ]);

/** Makes a newer build with the next fold version, which counts a fossilisation as ten. */
const nextFold = () =>
  SecondBuild.make([
    {
      file: 'packages/schema/src/run/snapshot.ts',
      replace: /FOLD_VERSION = \d+/,
      by: `FOLD_VERSION = ${NEWER_FOLD}`,
    },
    {
      file: 'packages/schema/src/events/event-types.ts',
      replace: /cumulative_fossilized \+= 1/,
      by: 'cumulative_fossilized += 10',
    },
  ]);

const running: ServiceProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service[Symbol.asyncDispose]()));
});

async function start(name: ServiceName, env: Env): Promise<ServiceProcess> {
  const service = await ServiceProcess.start(name, env);
  running.push(service);
  return service;
}

async function post(to: ServiceProcess, lines: readonly string[]): Promise<{ accepted: number }> {
  const response = await fetch(`${to.addresses.ingest}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  return (await response.json()) as { accepted: number };
}

async function taken(to: ServiceProcess, lines: readonly string[]): Promise<void> {
  expect(await post(to, lines)).toMatchObject({ accepted: lines.length, rejected: 0, retry: 0 });
}

async function shown(by: ServiceProcess, run: string): Promise<RunSnapshot> {
  const response = await fetch(`${by.addresses.gateway}/v1/runs/local/${run}/default`);
  return (await response.json()) as RunSnapshot;
}

async function verified(env: Env, expected: { compared: number }): Promise<void> {
  await vi.waitFor(async () => {
    const { code, stdout } = await runCli(['verify', '--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, differing: 0, unfoldable: 0, ...expected });
    expect(code).toBe(0);
  }, WAIT);
}

/** Runs a command or a start that must exit with 1 and a message, and resolves to its output. */
async function refusal(args: readonly string[], env: Env): Promise<string> {
  const ports = { RUNLOG_INGEST_PORT: '0', RUNLOG_GATEWAY_PORT: '0', RUNLOG_AGGREGATOR_PORT: '0' };
  const { code, stdout, stderr } = await runCli(args, { ...ports, ...env });
  expect({ code, said: stdout + stderr }).toMatchObject({ code: 1 });
  // Log lines are JSON, so quotes are unescaped.
  return (stdout + stderr).replaceAll('\\"', '"');
}

const NEWER_WRITES = `written by fold version ${NEWER_FOLD}, this build has ${FOLD_VERSION}: update this process`;
const OLDER_WROTE = `written by fold version ${FOLD_VERSION}, this build has ${NEWER_FOLD}: run "runlog rebuild"`;

describe('an older and a newer build of one fold', () => {
  let newer: SecondBuild;
  beforeAll(async () => {
    newer = await sameFold();
  });
  afterAll(() => newer?.[Symbol.asyncDispose]());

  it('run side by side on Kafka: both accept, fold, store and show the events of both', async () => {
    await using kafka = await KafkaLog.open();
    const old = kafka.env;
    const young = { ...kafka.env, ...newer.env };
    const [oldAggregator, oldGateway, oldIngest] = await startAll(old);
    const [youngAggregator, youngGateway, youngIngest] = await startAll(young);
    // They are in one group, and each has some of the partitions.
    await vi.waitFor(() => {
      for (const { output } of [oldAggregator, youngAggregator]) {
        const assigned = [...output.matchAll(/"partitions":\[([\d,]*)\]/g)].at(-1)?.[1];
        expect(assigned?.split(',')).toHaveLength(PARTITIONS / 2);
      }
    }, WAIT);

    const runs = Array.from({ length: 6 }, (_, index) => `mixed-${index}`);
    const sent = { old: [] as string[], young: [] as string[] };
    const sendAll = async () => {
      for (const run of runs) {
        const lines = () => [
          epoch(run),
          epoch(run, { learning_rate: 0.0003, 'né plus': { deep: [1.5, 'ü', null] } }),
          checkpointSaved(run, { path: '/models/α.pt', step: 7 }),
          fossilized(run),
        ];
        const [first, second] = [lines(), lines()];
        await taken(oldIngest, first);
        await taken(youngIngest, second);
        sent.old.push(...first);
        sent.young.push(...second);
      }
    };
    await sendAll();
    // Events that the older build cannot know to be wrong are folded alike by both.
    const odd = [checkpointSaved(runs[0]!, { step: 8 }), epoch(runs[0]!, { learning_rate: 'low' })];
    expect(await post(youngIngest, odd)).toMatchObject({
      errors: [{ path: 'data.path' }, { path: 'data.learning_rate' }],
    });
    await taken(oldIngest, odd);
    sent.old.push(...odd);

    const agreeOn = (received: number) =>
      vi.waitFor(async () => {
        const stored = await kafka.snapshots();
        for (const [index, run] of runs.entries()) {
          const [byOld, byYoung] = [await shown(oldGateway, run), await shown(youngGateway, run)];
          const expected = received + (index === 0 ? odd.length : 0);
          expect(byOld.total_events_received).toBe(expected);
          expect(withoutNow(byYoung)).toEqual(withoutNow(byOld));
          expect(withoutNow(byOld)).toEqual(withoutNow(stored.get(`local/${run}/default`)!));
          expect(byOld.counts.CHECKPOINT_SAVED).toBe(received / 4 + (index === 0 ? 1 : 0));
        }
      }, WAIT);
    await agreeOn(8);
    await Promise.all([verified(old, { compared: 6 }), verified(young, { compared: 6 })]);

    // Each build continues from the other's snapshots.
    await oldAggregator.end('SIGTERM');
    await sendAll();
    await agreeOn(16);
    await verified(old, { compared: 6 });
    const successor = await start('aggregator', old);
    await youngAggregator.end('SIGTERM');
    await sendAll();
    await agreeOn(24);
    expect(successor.ended).toBe(false);
    await verified(young, { compared: 6 });

    const records = await kafka.events();
    const valuesOf = (version: string) =>
      records
        .filter(({ headers }) => headers[eventHeaders.schemaVersion] === version)
        .map(({ value }) => value!.toString('utf8'))
        .sort();
    expect(valuesOf('1')).toEqual([...sent.old].sort());
    expect(valuesOf('1.1')).toEqual([...sent.young].sort());
  });

  it('take turns on an embedded log, and verify beside each other', async () => {
    await using log = await EmbeddedLog.make();
    const old = log.env;
    const young = { ...log.env, ...newer.env };
    const lines = () => [epoch('turns', { learning_rate: 1 }), checkpointSaved('turns', { path: 'p' })];
    const first = await start('up', old);
    await taken(first, lines());
    await verified(young, { compared: 1 });
    await first.end('SIGTERM');
    const second = await start('up', young);
    await taken(second, lines());
    await vi.waitFor(
      async () => expect(await shown(second, 'turns')).toMatchObject({ total_events_received: 4 }),
      WAIT,
    );
    await verified(old, { compared: 1 });
  });
});

describe('a build of the next fold', () => {
  let newer: SecondBuild;
  beforeAll(async () => {
    newer = await nextFold();
  });
  afterAll(() => newer?.[Symbol.asyncDispose]());

  it('changes nothing on Kafka until rebuild is run; then the older processes end and say why', async () => {
    await using kafka = await KafkaLog.open();
    const old = kafka.env;
    const young = { ...kafka.env, ...newer.env };
    const [oldAggregator, oldGateway, oldIngest] = await startAll(old);
    await taken(oldIngest, [epoch('next'), fossilized('next')]);
    await verified(old, { compared: 1 });
    const before = await kafka.meta();

    expect(await refusal(['up'], young)).toContain(OLDER_WROTE);
    expect(await refusal(['verify'], young)).toContain(OLDER_WROTE);
    expect(await kafka.meta()).toEqual(before);
    await taken(oldIngest, [fossilized('next')]);
    await vi.waitFor(
      async () => expect(await shown(oldGateway, 'next')).toMatchObject({ cumulative_fossilized: 2 }),
      WAIT,
    );
    await verified(old, { compared: 1 });

    const rebuilt = await runCli(['rebuild', '--json'], young);
    expect(rebuilt.code).toBe(0);
    const after = await kafka.meta();
    expect(after).toMatchObject({ fold: NEWER_FOLD, snapshots: `${before.snapshots}.v2` });
    expect(after.epoch).not.toBe(before.epoch);
    for (const process of [oldAggregator, oldGateway]) {
      await vi.waitFor(() => expect(process.ended).toBe(true), WAIT);
      expect(await process.end('SIGTERM')).toBe(1);
      expect(process.output).toContain(NEWER_WRITES);
    }
    for (const args of [['up'], ['verify'], ['rebuild'], ['replay', 'local/*', '--states']]) {
      expect(await refusal(args, old)).toContain(NEWER_WRITES);
    }
    expect(await kafka.meta()).toEqual(after);

    // Ingest folds nothing, so events that an older one still accepts are there for the newer. It says that it is older.
    await vi.waitFor(
      () => expect(oldIngest.output).toContain('a newer build writes the snapshots now'),
      WAIT,
    );
    expect(oldIngest.output.split('a newer build writes the snapshots now')).toHaveLength(2);
    const ready = await fetch(`${oldIngest.addresses.ingest}/readyz`);
    expect(await ready.json()).toEqual({
      status: 'ready',
      newer_build: { fold: NEWER_FOLD, own_fold: FOLD_VERSION },
    });
    const metrics = await fetch(`${oldIngest.addresses.ingest}/metrics`);
    expect(await metrics.text()).toContain('runlog_ingest_newer_build 1');
    await taken(oldIngest, [fossilized('next')]);
    const up = await start('up', young);
    await vi.waitFor(
      async () => expect(await shown(up, 'next')).toMatchObject({ cumulative_fossilized: 30 }),
      WAIT,
    );
    await verified(young, { compared: 1 });
  });

  it('gets no rebuild from an older owner of an embedded log', async () => {
    await using log = await EmbeddedLog.make();
    const old = log.env;
    const young = { ...log.env, ...newer.env };
    const up = await start('up', old);
    await taken(up, [fossilized('next')]);
    expect(await refusal(['rebuild'], young)).toContain(
      `has fold version ${FOLD_VERSION}, this command has ${NEWER_FOLD}: stop that process`,
    );
    await verified(old, { compared: 1 });
    await up.end('SIGTERM');
    const { code, stdout } = await runCli(['rebuild'], young);
    expect(stdout).toContain(`those of fold version ${FOLD_VERSION} were not compared`);
    expect(stdout).toContain('a new epoch');
    expect(code).toBe(0);
    expect(await refusal(['up'], old)).toContain(NEWER_WRITES);
    const next = await start('up', young);
    expect(await shown(next, 'next')).toMatchObject({ cumulative_fossilized: 10 });
    await verified(young, { compared: 1 });
  });

  it('rebuilds an embedded log by itself when it becomes its owner', async () => {
    await using log = await EmbeddedLog.make();
    const young = { ...log.env, ...newer.env };
    const up = await start('up', log.env);
    await taken(up, [fossilized('next')]);
    await verified(log.env, { compared: 1 });
    await up.end('SIGTERM');
    const next = await start('up', young);
    expect(next.output).toContain('an earlier build with another version of the fold wrote the snapshots');
    expect(await shown(next, 'next')).toMatchObject({ cumulative_fossilized: 10 });
    await verified(young, { compared: 1 });
    await next.end('SIGTERM');
    expect(await refusal(['up'], log.env)).toContain(NEWER_WRITES);
  });
});

async function startAll(env: Env): Promise<[ServiceProcess, ServiceProcess, ServiceProcess]> {
  return await Promise.all([start('aggregator', env), start('gateway', env), start('ingest', env)]);
}

/** Returns what a gateway shows of a stored run, without the fields that depend on the time of the request. */
function withoutNow(run: RunSnapshot): object {
  const { event_log, milestones, event_id_window: _window, ...state } = run;
  const plain = (entries: RunSnapshot['event_log']) =>
    entries.map((entry) => ({ ...entry, relative_time: undefined }));
  const now = { freshness: undefined, state: undefined, state_since: undefined };
  return { ...state, ...now, event_log: plain(event_log), milestones: plain(milestones) };
}

/** Direct access to the topics of one test on the shared broker. */
class KafkaLog implements AsyncDisposable {
  readonly env: Env;
  readonly #io: TopicIo;
  readonly #topics: ReturnType<typeof topicNames>;

  private constructor(io: TopicIo, held: { env: Env; prefix: string }) {
    this.#io = io;
    this.env = held.env;
    this.#topics = topicNames(held.prefix);
  }

  static async open(): Promise<KafkaLog> {
    const brokers = inject('kafkaBrokers');
    const prefix = `${uniqueName('mixed')}-`;
    const env = {
      KAFKA_BROKERS: brokers.join(','),
      RUNLOG_TOPIC_PREFIX: prefix,
      RUNLOG_PARTITIONS: String(PARTITIONS),
    };
    return new KafkaLog(await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger }), {
      env,
      prefix,
    });
  }

  async meta(): Promise<RunMeta> {
    return (await readMeta(this.#io, this.#topics))!;
  }

  async events(): Promise<LogRecord[]> {
    const found: LogRecord[] = [];
    await readToEnd(this.#io, {
      topic: this.#topics.events,
      partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition),
      onRecords: (records) => found.push(...records),
    });
    return found;
  }

  async snapshots(): Promise<Map<string, RunSnapshot>> {
    const { snapshots: topic } = await this.meta();
    const found = new Map<string, RunSnapshot>();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const { snapshots } = await readStoredPartition(this.#io, { topic, partition });
      for (const [key, bytes] of snapshots) {
        expect(partitionOf(key, PARTITIONS)).toBe(partition);
        found.set(key, JSON.parse(bytes.toString()) as RunSnapshot);
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#io[Symbol.asyncDispose]();
  }
}

class EmbeddedLog implements AsyncDisposable {
  readonly env: Env;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.env = { RUNLOG_DATA_DIR: folder, RUNLOG_PARTITIONS: '2' };
  }

  static async make(): Promise<EmbeddedLog> {
    return new EmbeddedLog(await mkdtemp(join(tmpdir(), 'runlog-mixed-')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(running.splice(0).map((service) => service[Symbol.asyncDispose]()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
