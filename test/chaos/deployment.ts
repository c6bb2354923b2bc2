import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { freePorts } from '../support/free-ports.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { ClusterMap } from './cluster-map.ts';
import { DisturbedNetwork, PROXIED } from './disturbed-network.ts';
import type { ServiceKind, Shape } from './fault-plan.ts';

const BROKERS = 3;

/** One place for a process of the deployment. A new process takes the place of a killed one. */
export interface Slot {
  readonly service: ServiceKind;
  readonly name: string;
  process: ServiceProcess | null;
  /** Whether the process is meant to run. If it is and does not run, it has ended by itself. */
  wanted: boolean;
  /** The output of the earlier processes of this slot. */
  readonly past: string[];
}

/** Three brokers from Maven and several of each service, all real processes. */
export class Deployment implements AsyncDisposable {
  readonly shape: Shape;
  readonly cluster: MavenBrokers;
  readonly map: ClusterMap;
  /** The way of the services to the brokers. */
  readonly network: DisturbedNetwork;
  /** The test's own way into the log, past the network. */
  readonly io: TopicIo;
  readonly topics = topicNames('');
  readonly environment: Readonly<Record<string, string>>;
  readonly slots: Slot[] = [];
  readonly unexpectedEnds: string[] = [];

  private constructor(shape: Shape, held: { cluster: MavenBrokers; network: DisturbedNetwork; io: TopicIo }) {
    this.shape = shape;
    this.cluster = held.cluster;
    this.network = held.network;
    this.io = held.io;
    this.map = new ClusterMap(held.cluster.brokers);
    this.environment = {
      KAFKA_BROKERS: held.network.brokers.join(','),
      RUNLOG_PARTITIONS: String(shape.partitions),
    };
  }

  /** Starts every service at the same moment, on an empty cluster. Resolves when all are ready. */
  static async start(shape: Shape): Promise<Deployment> {
    const ports = await freePorts(BROKERS);
    const cluster = await startCluster({
      count: BROKERS,
      listeners: [{ name: PROXIED, protocol: 'PLAINTEXT', advertisedPorts: ports }],
    });
    const network = await DisturbedNetwork.start(cluster, ports);
    const io = await openKafka({ brokers: cluster.brokers, clientId: 'runlog-chaos', logger: silentLogger });
    const deployment = new Deployment(shape, { cluster, network, io });
    const counts = { aggregator: shape.aggregators, gateway: shape.gateways, ingest: shape.ingests };
    for (const service of ['aggregator', 'gateway', 'ingest'] as const) {
      for (let index = 0; index < counts[service]; index += 1) deployment.addSlot(service);
    }
    try {
      await Promise.all(deployment.slots.map((slot) => deployment.start(slot)));
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
    return deployment;
  }

  addSlot(service: ServiceKind): Slot {
    const index = this.slots.filter((slot) => slot.service === service).length;
    const slot: Slot = { service, name: `${service}-${index}`, process: null, wanted: false, past: [] };
    this.slots.push(slot);
    return slot;
  }

  slot(service: ServiceKind, index: number): Slot {
    const slot = this.slots.filter((one) => one.service === service)[index];
    if (slot === undefined) throw new RangeError(`there is no ${service} ${index}`);
    return slot;
  }

  async start(slot: Slot): Promise<void> {
    slot.process = await ServiceProcess.start(slot.service, this.environment);
    slot.wanted = true;
  }

  /** Ends a process. Resolves to its exit code, or to the signal's name. */
  async end(slot: Slot, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string> {
    const { process: ended } = slot;
    slot.wanted = false;
    slot.process = null;
    if (ended === null) return 'not running';
    const code = await ended.end(signal);
    slot.past.push(ended.output, `--- ended by ${signal}: ${code}\n`);
    return code;
  }

  signal(slot: Slot, signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (slot.process !== null) process.kill(slot.process.pid, signal);
  }

  /** Returns the present addresses of the service. */
  addresses(service: 'ingest' | 'gateway'): string[] {
    return this.slots.flatMap((slot) => {
      const address = slot.service === service ? slot.process?.addresses[service] : undefined;
      return address === undefined ? [] : [address];
    });
  }

  /** Notes each process that ended although nobody ended it, once. */
  noteUnexpectedEnds(): void {
    for (const slot of this.slots) {
      if (!slot.wanted || slot.process === null || isAlive(slot.process.pid)) continue;
      slot.wanted = false;
      this.unexpectedEnds.push(`${slot.name} ended by itself:\n${slot.process.output.slice(-2_000)}`);
    }
  }

  /** Writes the output of every process to a file of its own. */
  async writeOutputs(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await Promise.all(
      this.slots.map((slot) =>
        writeFile(join(folder, `${slot.name}.log`), [...slot.past, slot.process?.output ?? ''].join('')),
      ),
    );
  }

  /** Counts the warnings and errors of all processes so far, by their text. */
  warnings(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const slot of this.slots) {
      for (const line of [...slot.past, slot.process?.output ?? ''].join('').split('\n')) {
        const { level, msg } = parseLine(line);
        if (level >= WARN) counts[msg] = (counts[msg] ?? 0) + 1;
      }
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.slots.map((slot) => this.end(slot, 'SIGKILL')));
    await this.map[Symbol.asyncDispose]();
    await this.io[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await this.cluster.stop();
  }
}

/** pino's number of the level. */
const WARN = 40;

function parseLine(line: string): { level: number; msg: string } {
  try {
    const { level, msg } = JSON.parse(line) as { level?: unknown; msg?: unknown };
    return { level: Number(level ?? 0), msg: String(msg) };
  } catch {
    return { level: 0, msg: '' };
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
