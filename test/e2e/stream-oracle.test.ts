import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStreamClient, type StreamClient, type StreamStatus } from '@runlog/client/stream-client';
import { decodeRunRecord } from '@runlog/records/run-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
import { readToEnd } from '@runlog/run-feed/read-to-end';
import { topicNames } from '@runlog/schema/log/topics';
import type { RunDocument } from '@runlog/schema/run/snapshot';
import type { ServerFrameFields } from '@runlog/schema/stream/server-frames';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { partitionOf } from '@runlog/topic-io/partitioner';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { comparable } from '../chaos/judge-end.ts';
import { type EmitterPlan, Publisher } from '../chaos/publisher.ts';
import { chosenSeed } from '../chaos/seed.ts';
import { comesToHold, until } from '../chaos/until.ts';
import { RunTruth } from '../simulation/run-truth.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { runCli } from '../support/cli-process.ts';
import { noteText } from '../support/embedded-ingest.ts';
import { FollowedEntries } from '../support/followed-entries.ts';
import { freePorts } from '../support/free-ports.ts';
import { fuzzMs, fuzzTimeout } from '../support/fuzzed-system.ts';
import { makeKeyFile, type TestKeyFile } from '../support/key-file.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';

/** Histories are begun for so long in CI. */
const HISTORIES_MS = 45_000;
const ACTIONS = 5;
const PARTITIONS = 2;
const WAIT_MS_MAX = 90_000;
const CLIENTS = 6;
/** More entries than a run's event log keeps, so that a client that is away for them must fetch them. */
const BURST = 400;
/** Enough that the buffers of the operating system do not hold them for a client that does not read. */
const FLOOD_BODIES = 12;
const FLOOD_EVENTS = 900;

const LOADED = ['r1', 'r2', 'r3'];
const BURSTS = 'bursts';
const RUNS = [...LOADED, BURSTS];
const keyOf = (run: string) => `local/${run}/default`;

/** What happened, over all histories. */
const reached = {
  kills: 0,
  rebuilds: 0,
  deletions: 0,
  floods: 0,
  revocations: 0,
  resumes: 0,
  skips: 0,
  lags: 0,
};

describe('over real sockets', () => {
  it(
    'every client holds what the topic holds and what REST shows, whatever happens to it',
    async () => {
      const first = chosenSeed(process.env);
      const endsMs = performance.now() + fuzzMs(HISTORIES_MS);
      let histories = 0;
      for (; histories === 0 || performance.now() < endsMs; histories += 1) {
        process.stdout.write(`stream oracle SEED=${first + histories}\n`);
        // The end of a long output is what one sees of it.
        expect(await history(new SeededRandom(first + histories)), `SEED=${first + histories}`).toEqual([]);
      }
      process.stdout.write(`stream oracle: ${histories} histories, ${JSON.stringify(reached)}\n`);
      // Otherwise nothing was shown.
      expect(reached.resumes).toBeGreaterThan(0);
      expect(reached.skips + reached.lags).toBeGreaterThan(0);
    },
    fuzzTimeout(HISTORIES_MS),
  );
});

/** Returns what was wrong. */
async function history(random: SeededRandom): Promise<string[]> {
  await using system = await AttackedSystem.start();
  const publisher = new Publisher({
    emitters: emitters(),
    targets: () => system.ingest,
    random: random.fork('load'),
    headers: { authorization: `Bearer ${system.publishSecret}` },
    answerMsMax: WAIT_MS_MAX,
  });
  const clients: OracleClient[] = [];
  try {
    for (let at = 0; at < CLIENTS; at += 1) clients.push(await OracleClient.start(`client-${at}`, system));
    const acts = actions({ system, clients, random: random.fork('actions') });
    // Every history has a kill; in which order the others come, and which do, is chance.
    const order = random.shuffled([
      'kill',
      ...Array.from({ length: ACTIONS - 1 }, () => random.pick(Object.keys(acts))),
    ]);
    for (const name of order) {
      const target = publisher.acknowledged + random.integer(10, 150);
      await until(() => publisher.acknowledged >= target, {
        what: () => `${target} events are acknowledged`,
        withinMs: WAIT_MS_MAX,
      });
      await acts[name as keyof typeof acts]();
    }
    await publisher.drain(WAIT_MS_MAX);
    return [...publisher.violations, ...(await judge(system, clients))];
  } finally {
    await publisher.abandon();
    for (const client of clients) client.close();
  }
}

function emitters(): EmitterPlan[] {
  const more = {
    isNumbered: true,
    bodyEvents: 10,
    eventsPerSecond: 60,
    bodiesUnderWayMax: 1,
    copyChance: 0.05,
  };
  return [
    { id: 'a', runs: ['r1', 'r2'], ...more },
    { id: 'b', runs: ['r2', 'r3'], ...more },
    { id: 'wild', runs: ['r1', 'r3'], ...more, bodiesUnderWayMax: 3, bodyEvents: 5 },
    { id: 'bare', runs: ['r1'], ...more, isNumbered: false, eventsPerSecond: 20 },
  ];
}

/** What may happen to a system and its clients. */
function actions(of: { system: AttackedSystem; clients: readonly OracleClient[]; random: SeededRandom }) {
  const { system, clients, random } = of;
  return {
    async kill() {
      reached.kills += 1;
      await system.kill();
      // The clients are still waiting to come back.
      await system.post(BURST);
    },
    async rebuild() {
      reached.rebuilds += 1;
      expect(await runCli(['rebuild'], system.env)).toMatchObject({ code: 0 });
    },
    async delete() {
      reached.deletions += 1;
      const key = keyOf(random.pick(RUNS));
      // A run that has no events yet cannot be deleted.
      await runCli(['delete', key], system.env);
    },
    async flood() {
      reached.floods += 1;
      const slow = random.shuffled(clients).slice(0, 2);
      for (const client of slow) client.pause();
      for (let body = 0; body < FLOOD_BODIES; body += 1) await system.post(FLOOD_EVENTS, 'x'.repeat(1_000));
      await comesToHold(async () => (await system.laggingClients()) > 0, 5_000);
      await system.post(BURST);
      for (const client of slow) client.resume();
    },
    async revoke() {
      reached.revocations += 1;
      await random.pick(clients).changeKey();
    },
  };
}

/** A real `runlog up` with keys that comes back at the same addresses. */
class AttackedSystem implements AsyncDisposable {
  readonly keys: TestKeyFile;
  readonly env: Readonly<Record<string, string>>;
  readonly publishSecret: string;
  readonly gateway: string;
  readonly #viewSecret: string;
  readonly #folder: string;
  #up: ServiceProcess | null;
  #posted = 0;

  private constructor(held: {
    keys: TestKeyFile;
    env: Readonly<Record<string, string>>;
    secrets: { publish: string; view: string };
    folder: string;
    up: ServiceProcess;
  }) {
    this.keys = held.keys;
    this.env = held.env;
    this.publishSecret = held.secrets.publish;
    this.#viewSecret = held.secrets.view;
    this.#folder = held.folder;
    this.#up = held.up;
    this.gateway = held.up.addresses.gateway!;
  }

  static async start(): Promise<AttackedSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-oracle-'));
    const keys = await makeKeyFile();
    const secrets = {
      publish: await keys.add('publish', { role: 'publish', cluster: 'local' }),
      view: await keys.add('judge', { role: 'view', runs: ['local/*'] }),
    };
    const [ingest, gateway] = await freePorts(2);
    const env = {
      RUNLOG_DATA_DIR: folder,
      RUNLOG_PARTITIONS: String(PARTITIONS),
      RUNLOG_KEYS_FILE: keys.path,
      RUNLOG_INGEST_PORT: String(ingest),
      RUNLOG_GATEWAY_PORT: String(gateway),
    };
    const up = await ServiceProcess.start('up', env);
    return new AttackedSystem({ keys, env, secrets, folder, up });
  }

  /** The present addresses of ingest. */
  get ingest(): string[] {
    return this.#up === null ? [] : [this.#up.addresses.ingest!];
  }

  async kill(): Promise<void> {
    const killed = this.#up!;
    this.#up = null;
    expect(await killed.end('SIGKILL')).toBe('SIGKILL');
    this.#up = await ServiceProcess.start('up', this.env);
  }

  /** Publishes events of the run of bursts. */
  async post(events: number, message = ''): Promise<void> {
    const body = Array.from({ length: events }, () => {
      this.#posted += 1;
      return noteText({ event_id: `burst-${this.#posted}`, run_id: BURSTS, message });
    }).join('\n');
    const response = await fetch(`${this.ingest[0]}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${this.publishSecret}` },
      body,
    });
    expect(await response.json()).toMatchObject({ accepted: events });
  }

  async get(path: string): Promise<Response> {
    return fetch(`${this.gateway}${path}`, { headers: { authorization: `Bearer ${this.#viewSecret}` } });
  }

  async laggingClients(): Promise<number> {
    const text = await (await this.get('/metrics')).text();
    return Number(/^runlog_gateway_lagging_clients (\d+)/m.exec(text)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#up?.end('SIGKILL');
    await this.keys[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A client of the library that follows every run from its beginning, whatever becomes of its connection and its key. */
class OracleClient {
  readonly name: string;
  readonly followed: ReadonlyMap<string, FollowedEntries>;
  readonly #system: AttackedSystem;
  readonly #sockets = new Set<WebSocket>();
  #client: StreamClient | null = null;
  #status: StreamStatus = { state: 'connecting' };
  #isPaused = false;
  #keys = 0;

  private constructor(name: string, system: AttackedSystem) {
    this.name = name;
    this.followed = new Map(RUNS.map((run) => [run, new FollowedEntries(`${run} of ${name}`)]));
    this.#system = system;
  }

  static async start(name: string, system: AttackedSystem): Promise<OracleClient> {
    const client = new OracleClient(name, system);
    await client.#connect();
    return client;
  }

  /** Stops reading. What arrives waits in the operating system, until that is full. */
  pause(): void {
    this.#isPaused = true;
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Revokes the key. The connection ends for good; another client with a new key goes on from where this one was. */
  async changeKey(): Promise<void> {
    await this.#system.keys.revoke(this.#keyId);
    await until(() => this.#status.state === 'stopped', {
      what: () => `${this.name} is told that its key was revoked; it is ${this.#status.state}`,
      withinMs: WAIT_MS_MAX,
    });
    expect(this.#status).toMatchObject({ code: 4_500 });
    await this.#connect();
  }

  close(): void {
    this.#client?.close();
  }

  get #keyId(): string {
    return `${this.name}-${this.#keys}`;
  }

  async #connect(): Promise<void> {
    this.#keys += 1;
    const key = await this.#system.keys.add(this.#keyId, { role: 'view', runs: ['local/*'] });
    // A gateway reads its key file within seconds, and a client that it does not know must not come back.
    await until(
      async () =>
        (await fetch(`${this.#system.gateway}/v1/runs`, { headers: { authorization: `Bearer ${key}` } })).ok,
      {
        what: () => `the gateway knows the key of ${this.name}`,
        withinMs: WAIT_MS_MAX,
      },
    );
    const client = createStreamClient({
      url: `${this.#system.gateway.replace('http', 'ws')}/v1/stream`,
      webSocket: this.#watchedSocket(),
      key,
      random: Math.random,
      onStatus: (status) => {
        this.#status = status;
      },
    });
    this.#client = client;
    for (const [run, followed] of this.followed) {
      client.subscribeRun(keyOf(run), followed.take, { from: followed.position ?? 'beginning' });
    }
  }

  /** Returns a WebSocket whose connections can be paused, and whose frames are counted. */
  #watchedSocket() {
    const sockets = this.#sockets;
    const isPaused = () => this.#isPaused;
    return class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { perMessageDeflate: false });
        sockets.add(this);
        this.once('open', () => {
          if (isPaused()) this.pause();
        });
        this.once('close', () => sockets.delete(this));
        this.on('message', (data: Buffer) => countFrames(data.toString('utf8')));
      }
    };
  }
}

function countFrames(message: string): void {
  for (const line of message.split('\n')) {
    const { resume, lag } = JSON.parse(line) as ServerFrameFields;
    if (resume !== undefined) reached.resumes += 1;
    if (resume?.skipped !== undefined) reached.skips += 1;
    if (lag !== undefined) reached.lags += 1;
  }
}

/** Compares each client with the topic and with REST. */
async function judge(system: AttackedSystem, clients: readonly OracleClient[]): Promise<string[]> {
  const truths = await truthOf(system);
  const violations: string[] = [];
  // One patience for all: where something is wrong, much is.
  const endsMs = performance.now() + WAIT_MS_MAX;
  const leftMs = () => Math.max(1_000, endsMs - performance.now());
  for (const run of RUNS) {
    const truth = truths.get(keyOf(run)) ?? null;
    const state = truth?.latest ?? null;
    const due = state === null ? [] : truth!.entries.filter((seq) => seq >= state.first_seq);
    for (const { name, followed } of clients) {
      const held = followed.get(run)!;
      const hasAll = () => held.seqs.length === due.length && held.seqs.at(-1) === due.at(-1);
      await comesToHold(hasAll, leftMs());
      if (String(held.seqs) !== String(due))
        violations.push(`${name} holds of ${run}: ${difference(held.seqs, due)}`);
      const shown = async () => comparable(await documentOf(system, run));
      const isShown = async () =>
        comparable(held.snapshot?.position == null ? null : held.snapshot) === (await shown());
      if (!(await comesToHold(isShown, leftMs()))) {
        violations.push(
          `${name} holds another ${run} than REST:\n${comparable(held.snapshot)}\n${await shown()}`,
        );
      }
      violations.push(...held.faults(state?.first_seq ?? Infinity));
    }
  }
  return violations;
}

/** Folds the topic as it is on the disk. */
async function truthOf(system: AttackedSystem): Promise<Map<string, RunTruth>> {
  await using io = await openEmbedded({
    folder: system.env.RUNLOG_DATA_DIR!,
    readOnly: true,
    logger: silentLogger,
  });
  const topics = topicNames('');
  const { epoch } = (await readMeta(io, topics))!;
  const truths = new Map<string, RunTruth>();
  await readToEnd(io, {
    topic: topics.events,
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition),
    onRecords: (records) => {
      for (const record of records) {
        const { key } = record;
        const truth = truths.get(key) ?? new RunTruth({ key, partition: partitionOf(key, PARTITIONS) });
        truths.set(key, truth);
        const decoded = decodeRunRecord(record, epoch);
        if (decoded.kind !== 'unfoldable') truth.fold(decoded);
      }
    },
  });
  return truths;
}

async function documentOf(system: AttackedSystem, run: string): Promise<RunDocument | null> {
  const response = await system.get(`/v1/runs/${keyOf(run)}`);
  if (response.status === 404) return null;
  expect(response.status).toBe(200);
  return (await response.json()) as RunDocument;
}

function difference(held: readonly number[], due: readonly number[]): string {
  const has = new Set(held);
  const wants = new Set(due);
  const missing = due.filter((seq) => !has.has(seq));
  const more = held.filter((seq) => !wants.has(seq));
  const list = (seqs: readonly number[]) => `${seqs.length} (${seqs.slice(0, 10).join(', ')})`;
  return `${held.length} entries of ${due.length}; missing ${list(missing)}, too many ${list(more)}`;
}
