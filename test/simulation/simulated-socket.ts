import type { Hub } from '@runlog/gateway/fan-out/hub';
import { Session } from '@runlog/gateway/fan-out/session';
import { textSink } from '@runlog/gateway/made-up/text-sink';
import { Outbox } from '@runlog/gateway/send/outbox';
import { STREAM_HEARTBEAT_MS } from '@runlog/schema/limits';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

/** The size that a message to a client with a heavy link counts as. Three of them fill the outbox. */
const HEAVY_MESSAGE_BYTES = 100 * 1024;
const LINK_MS_MAX = 20;

/** The client's end of a connection. */
export interface SocketClient {
  readonly isHeavy: boolean;
  /** Whether the client is not reading at the moment. */
  readonly isStalled: boolean;
  received(message: string): void;
  closed(): void;
}

/** One connection between a client and a gateway's real session and outbox. Messages stay in order; reads may stall. */
export class SimulatedSocket {
  readonly #world: World;
  readonly #gateway: SimulatedProcess;
  readonly #client: SocketClient;
  readonly #outbox: Outbox;
  readonly #session: Session;
  readonly #onClosed: (socket: SimulatedSocket) => void;
  readonly #toClient: { message: string; bytes: number; written: () => void }[] = [];
  readonly #toGateway: string[] = [];
  #bufferedBytes = 0;
  #isDelivering = false;
  #isPaused = false;
  #isOpen = true;
  #cancelHeartbeat: () => void = () => undefined;

  constructor(options: {
    world: World;
    gateway: SimulatedProcess;
    hub: Hub;
    client: SocketClient;
    onClosed: (socket: SimulatedSocket) => void;
  }) {
    const { world, gateway, hub, client } = options;
    this.#world = world;
    this.#gateway = gateway;
    this.#client = client;
    this.#onClosed = options.onClosed;
    const { clock } = gateway;
    this.#outbox = new Outbox({
      sink: textSink({
        send: (message, written) => this.#send(message, written),
        bufferedBytes: () => this.#bufferedBytes,
      }),
      clock,
      defer: (outbox) => clock.after(0, () => outbox.flush()),
      on: {
        full: () => {
          this.#isPaused = true;
        },
        drained: () => {
          this.#isPaused = false;
          for (const message of this.#toGateway.splice(0)) this.#session.receive(message);
          this.#session.drained();
        },
        stuck: () => this.close(),
      },
    });
    this.#session = new Session({ hub, outlet: this.#outbox, clock });
    this.#heartbeatLater();
  }

  /** Sends a message from the client. */
  ask(message: string): void {
    this.#world.scheduler.after(
      this.#linkMs(),
      () => {
        if (!this.#isOpen) return;
        if (this.#isPaused) this.#toGateway.push(message);
        else this.#session.receive(message);
      },
      this.#gateway,
    );
  }

  /** Is called when the client reads again. */
  resume(): void {
    this.#deliver();
  }

  /** Closes the connection from the gateway's side, or because the gateway is gone. The client is told. */
  close(): void {
    if (!this.#isOpen) return;
    this.#end();
    this.#world.scheduler.after(this.#linkMs(), () => this.#client.closed());
  }

  /** Closes the connection from the client's side. The gateway is told. */
  abandon(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#world.scheduler.after(this.#linkMs(), () => this.#end(), this.#gateway);
  }

  #end(): void {
    this.#isOpen = false;
    this.#cancelHeartbeat();
    this.#outbox.dispose();
    this.#session.dispose();
    this.#onClosed(this);
  }

  #send(message: string, written: () => void): void {
    const bytes = this.#client.isHeavy ? HEAVY_MESSAGE_BYTES : message.length;
    this.#bufferedBytes += bytes;
    this.#toClient.push({ message, bytes, written });
    this.#deliver();
  }

  #deliver(): void {
    if (this.#isDelivering || this.#toClient.length === 0 || this.#client.isStalled) return;
    this.#isDelivering = true;
    const { scheduler } = this.#world;
    scheduler.after(this.#linkMs(), () => {
      this.#isDelivering = false;
      if (!this.#isOpen || this.#client.isStalled) return;
      const { message, bytes, written } = this.#toClient.shift()!;
      this.#bufferedBytes -= bytes;
      scheduler.after(0, written, this.#gateway);
      const { garble } = this.#world.mutations;
      this.#client.received(garble === undefined ? message : garble(message));
      this.#deliver();
    });
  }

  #heartbeatLater(): void {
    this.#cancelHeartbeat = this.#gateway.clock.after(STREAM_HEARTBEAT_MS, () => {
      if (!this.#isPaused) this.#session.heartbeat();
      this.#heartbeatLater();
    });
  }

  #linkMs(): number {
    return this.#gateway.random.between(0, LINK_MS_MAX);
  }
}
