import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { startCluster } from './broker.ts';
import type { MavenBrokers } from './broker-maven.ts';
import { freePort } from './free-ports.ts';
import { KafkaProxy, type KafkaProxyHooks } from './kafka-proxy.ts';
import { silentLogger } from './silent-logger.ts';

/** One broker behind a proxy. Each client has hooks of its own, so that several can be disturbed at the same time. */
export class ProxiedBroker implements AsyncDisposable {
  readonly proxy: KafkaProxy;
  /** The test's own way into the log, past the proxy. */
  readonly io: TopicIo;
  readonly #cluster: MavenBrokers;
  readonly #port: number;
  readonly #hooks: Map<string, KafkaProxyHooks>;

  private constructor(held: {
    cluster: MavenBrokers;
    proxy: KafkaProxy;
    io: TopicIo;
    port: number;
    hooks: Map<string, KafkaProxyHooks>;
  }) {
    this.#cluster = held.cluster;
    this.proxy = held.proxy;
    this.io = held.io;
    this.#port = held.port;
    this.#hooks = held.hooks;
  }

  static async start(options: { version?: string; verification: boolean }): Promise<ProxiedBroker> {
    const port = await freePort();
    const cluster = await startCluster({
      count: 1,
      ...(options.version !== undefined && { version: options.version }),
      listeners: [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertisedPorts: [port] }],
      properties: { 'transaction.partition.verification.enable': options.verification },
    });
    try {
      const hooks = new Map<string, KafkaProxyHooks>();
      const proxy = await KafkaProxy.start({
        port,
        targetPort: cluster.listenerPorts[0]!.PROXIED!,
        hooks: {
          onRequest: (request) => hooks.get(request.clientId ?? '')?.onRequest?.(request) ?? 'pass',
          onAnswer: (request, answer) =>
            hooks.get(request.clientId ?? '')?.onAnswer?.(request, answer) ?? 'pass',
        },
      });
      const { brokers } = cluster;
      const io = await openKafka({ brokers, clientId: 'runlog-past-proxy', logger: silentLogger });
      return new ProxiedBroker({ cluster, proxy, io, port, hooks });
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Opens the log through the proxy. */
  open(clientId: string, hooks: KafkaProxyHooks): Promise<TopicIo> {
    this.#hooks.set(clientId, hooks);
    return openKafka({ brokers: [`127.0.0.1:${this.#port}`], clientId, logger: silentLogger });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.io[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
    await this.#cluster.stop();
  }
}
