import { Hub } from '@runlog/gateway/hub';
import { type LiveRuns, openLiveRuns } from '@runlog/run-feed/live-runs';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { Program } from './service.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { SimulatedSocket, type SocketClient } from './simulated-socket.ts';
import type { World } from './world.ts';

const RETRY_MS = 400;

/** A gateway: the real feed and hub; sockets are simulated. It starts over when the log cannot be read. */
export class GatewayProgram implements Program {
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #stop = new AbortController();
  readonly #sockets = new Set<SimulatedSocket>();
  #current: { live: LiveRuns; hub: Hub } | null = null;
  readonly #working: Promise<void>;

  constructor(world: World, process: SimulatedProcess, fail: (error: unknown) => void) {
    this.#world = world;
    this.process = process;
    this.#working = this.#work().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) fail(error);
    });
  }

  /** null: it has not caught up. */
  get live(): LiveRuns | null {
    return this.#current?.live.caughtUp ? this.#current.live : null;
  }

  /** null: it takes no connections now. */
  connect(client: SocketClient): SimulatedSocket | null {
    if (this.live === null || this.process.crashed || this.#stop.signal.aborted) return null;
    const socket = new SimulatedSocket({
      world: this.#world,
      gateway: this.process,
      hub: this.#current!.hub,
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

  async #work(): Promise<void> {
    const { process } = this;
    const io = this.#world.openLog(process, 'gateway');
    while (!this.#stop.signal.aborted) {
      try {
        await this.#read(io);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!(error instanceof TopicIoError) || error.code === 'unusable') throw error;
      }
      await process.clock.sleep(RETRY_MS, this.#stop.signal);
    }
  }

  async #read(io: ReturnType<World['openLog']>): Promise<void> {
    const { oracle, topics } = this.#world;
    const { tamper } = this.#world.mutations;
    const { clock } = this.process;
    const { signal } = this.#stop;
    const meta = await this.#world.prepareTopics(this.process, io);
    const log = this.#world.logger(this.process);
    const live = openLiveRuns({ io, topics, meta, log, signal, sleep: clock.sleep });
    const hub = new Hub({ epoch: meta.epoch, states: live.states, clock });
    this.#current = { live, hub };
    try {
      for await (const changes of live.changes()) {
        for (const { key, after } of changes)
          if (after !== null) oracle.confirm(key, after, this.process.name);
        hub.apply(tamper === undefined ? changes : tamper(changes));
      }
    } finally {
      this.#current = null;
      this.#endStreams();
      hub.dispose();
    }
  }
}
