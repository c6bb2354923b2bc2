import type { GatewayConfig } from '@runlog/gateway/config';
import type { Hub } from '@runlog/gateway/fan-out/hub';
import type { Feed } from '@runlog/gateway/read/feed';
import type { ReadonlyFigureStates } from '@runlog/run-feed/figure-states';
import { noTopicConfig, topicNames } from '@runlog/schema/log/topics';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';
import type { Build } from './build.ts';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { SimulatedSocket, type SocketClient } from './simulated-socket.ts';
import type { World } from './world.ts';

/** The values that only a listening process reads do not matter here. */
function configOf(partitions: number): GatewayConfig {
  return {
    ...{
      host: '127.0.0.1',
      port: 0,
      allowedOrigins: [],
      answeredHosts: [],
      embedOrigins: [],
      connectionsMax: 1,
      drainMs: 0,
    },
    log: {
      ...{ engine: 'kafka', brokers: [], ssl: false, encoder: 'own', dataFolder: '', logLevel: 'silent' },
      ...{ topics: topicNames(''), partitions, replicationFactor: 1 },
      ...{ eventRetentionHours: 720, runRetentionHours: 720, topicConfig: noTopicConfig },
    },
  };
}

/** A gateway with the real feed and hub. Its sockets are simulated. */
export class GatewayProgram implements Program {
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #stop = new AbortController();
  readonly #sockets = new Set<SimulatedSocket>();
  readonly #feed: Feed;
  readonly #working: Promise<void>;

  constructor(
    world: World,
    options: { build: Build; process: SimulatedProcess; fail: (error: unknown) => void },
  ) {
    const { build, process, fail } = options;
    this.#world = world;
    this.process = process;
    this.#feed = new build.Feed({
      config: configOf(world.plan.partitions),
      io: world.openLog(process, 'gateway'),
      logger: world.logger(process),
      clock: process.clock,
      newEpoch: () => `epoch-of-${process.name}`,
      signal: this.#stop.signal,
      onReady: () => this.#watch(this.#feed.hub()!),
    });
    this.#feed.onState(({ state }) => world.reach(`a gateway says that the log is ${state}`));
    this.#working = this.#feed.run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) fail(error);
    });
  }

  /** Is null while it has not caught up. */
  get states(): ReadonlyMap<string, RunSnapshot> | null {
    return this.#feed.runs()?.states ?? null;
  }

  /** Is null while it has not caught up. */
  get figures(): ReadonlyFigureStates | null {
    return this.#feed.runs()?.figures ?? null;
  }

  /** Returns null if it accepts no connections now. */
  connect(client: SocketClient): SimulatedSocket | null {
    const hub = this.#feed.hub();
    if (hub === null || this.process.crashed || this.#stop.signal.aborted) return null;
    const socket = new SimulatedSocket({
      world: this.#world,
      gateway: this.process,
      hub,
      client,
      onClosed: (closed) => this.#sockets.delete(closed),
    });
    this.#sockets.add(socket);
    return socket;
  }

  async stop(): Promise<void> {
    this.#endStreams();
    this.#stop.abort();
    await this.#working;
  }

  crashed(): void {
    this.#endStreams();
  }

  #endStreams(): void {
    for (const socket of [...this.#sockets]) socket.close();
  }

  /** Compares every state that reaches the hub with the fold. */
  #watch(hub: Hub): void {
    const { oracle, mutations } = this.#world;
    const { tamper } = mutations;
    const apply = hub.apply.bind(hub);
    hub.apply = (changes) => {
      for (const { key, after } of changes) if (after !== null) oracle.confirm(key, after, this.process.name);
      apply(tamper === undefined ? changes : tamper(changes));
    };
  }
}
