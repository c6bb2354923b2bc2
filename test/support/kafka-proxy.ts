import { connect, createServer, type Server, type Socket } from 'node:net';
import { describeFrame, type KafkaRequest, PREFIX_BYTES } from './kafka-frame.ts';

/** Brokers take requests of at most 100 MiB. */
const FRAME_BYTES_MAX = 100 * 1024 * 1024;
/** A client waits for far fewer answers on one connection. */
const UNANSWERED_MAX = 1_000;
/** The time that a late request has for its answer; the broker may be down or frozen. */
const LATE_ANSWER_MS_MAX = 10_000;

/** What the proxy does with a frame: `cut` keeps it back and ends the connection, as a host that is lost would. */
export type Verdict = 'pass' | 'withhold' | 'cut';

export interface KafkaProxyHooks {
  /** Is asked about each request before the broker gets it. Later frames of the connection wait meanwhile. */
  onRequest?: (request: KafkaRequest) => Verdict | Promise<Verdict>;
  /** Is asked about each answer before the client gets it. */
  onAnswer?: (request: KafkaRequest, answer: Buffer) => Verdict | Promise<Verdict>;
}

/**
 * Stands between clients and one broker, and understands the frames of Kafka's protocol. Requests can be kept back and
 * delivered later on a connection of their own, answers can be lost, and connections can be cut. A broker sends its
 * clients to the proxy if the listener that they use is advertised on the proxy's port.
 */
export class KafkaProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #hooks: KafkaProxyHooks;
  readonly #connections = new Set<Connection>();
  readonly #late = new Set<Socket>();

  private constructor(options: { server: Server; targetPort: number; hooks: KafkaProxyHooks }) {
    this.#server = options.server;
    this.#targetPort = options.targetPort;
    this.#hooks = options.hooks;
  }

  static async start(options: {
    port: number;
    targetPort: number;
    hooks?: KafkaProxyHooks;
  }): Promise<KafkaProxy> {
    const { port, targetPort, hooks = {} } = options;
    const server = createServer({ noDelay: true });
    const proxy = new KafkaProxy({ server, targetPort, hooks });
    server.on('connection', (client) => void proxy.#serve(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1' }, resolve);
    });
    return proxy;
  }

  /** Ends every connection at once. Clients may connect again. */
  cut(): void {
    for (const connection of this.#connections) connection.end();
  }

  /** Delivers a request that was kept back. Resolves to the broker's answer, or to null if there is none. */
  deliver(request: KafkaRequest): Promise<Buffer | null> {
    const broker = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true });
    this.#late.add(broker);
    const timer = setTimeout(() => broker.destroy(), LATE_ANSWER_MS_MAX);
    const answered = async () => {
      try {
        broker.write(request.frame);
        for await (const answer of framesOf(broker)) return answer;
      } catch {
        // The broker is down, or it ended the connection instead of an answer.
      } finally {
        clearTimeout(timer);
        this.#late.delete(broker);
        broker.destroy();
      }
      return null;
    };
    return answered();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    for (const socket of this.#late) socket.destroy();
    await closed;
  }

  async #serve(client: Socket): Promise<void> {
    const broker = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true });
    const connection = new Connection({ client, broker, hooks: this.#hooks });
    this.#connections.add(connection);
    await connection.run();
    this.#connections.delete(connection);
  }
}

class Connection {
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #hooks: KafkaProxyHooks;
  /** By correlation id. */
  readonly #unanswered = new Map<number, KafkaRequest>();

  constructor(options: { client: Socket; broker: Socket; hooks: KafkaProxyHooks }) {
    this.#client = options.client;
    this.#broker = options.broker;
    this.#hooks = options.hooks;
    // Whoever reads the socket learns of its error too. This is for the moments in which nobody does.
    for (const socket of [this.#client, this.#broker]) socket.on('error', () => undefined);
  }

  end(): void {
    this.#client.destroy();
    this.#broker.destroy();
  }

  /** Resolves when the connection has ended. */
  async run(): Promise<void> {
    const ends = [this.#passRequests(), this.#passAnswers()].map((way) =>
      // A reset by either side ends the connection like any other end.
      way.catch(() => undefined).finally(() => this.end()),
    );
    await Promise.all(ends);
  }

  async #passRequests(): Promise<void> {
    for await (const frame of framesOf(this.#client)) {
      const request = describeFrame(frame);
      const verdict = (await this.#hooks.onRequest?.(request)) ?? 'pass';
      if (verdict === 'cut') return;
      if (verdict === 'withhold') continue;
      if (this.#unanswered.size >= UNANSWERED_MAX) throw new Error('the broker answers nothing');
      // A produce request with acks=0 has no answer; nothing here sends one.
      this.#unanswered.set(request.correlationId, request);
      await write(this.#broker, frame);
    }
  }

  async #passAnswers(): Promise<void> {
    for await (const frame of framesOf(this.#broker)) {
      const correlationId = frame.readInt32BE(PREFIX_BYTES);
      const request = this.#unanswered.get(correlationId);
      this.#unanswered.delete(correlationId);
      const verdict = request === undefined ? 'pass' : await this.#hooks.onAnswer?.(request, frame);
      if (verdict === 'cut') return;
      if (verdict !== 'withhold') await write(this.#client, frame);
    }
  }
}

/** Yields whole frames, each with its length in front, until the socket ends. The sender waits while nobody asks. */
async function* framesOf(socket: Socket): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let needed = PREFIX_BYTES;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    while (bytes >= needed) {
      let held = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
      needed = PREFIX_BYTES + held.readInt32BE(0);
      if (needed < PREFIX_BYTES || needed > FRAME_BYTES_MAX) throw new Error(`a frame of ${needed} bytes`);
      if (bytes >= needed) {
        yield Buffer.from(held.subarray(0, needed));
        held = held.subarray(needed);
        needed = PREFIX_BYTES;
      }
      chunks = [held];
      bytes = held.length;
    }
  }
}

/** Resolves when the bytes have left. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
