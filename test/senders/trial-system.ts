import { startCluster } from '../support/broker.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import { runCli } from '../support/cli-process.ts';
import { freePorts } from '../support/free-ports.ts';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { ServiceProcess } from '../support/service-process.ts';

interface Held {
  readonly cluster: MavenBrokers;
  readonly proxy: KafkaProxy;
  readonly readers: readonly ServiceProcess[];
  ingest: ServiceProcess;
}

/** A broker that can be cut off from ingest, ingest as a process that can be killed, and what reads the log. */
export class TrialSystem implements AsyncDisposable {
  readonly ingestPort: number;
  readonly #held: Held;
  readonly #link: { isCut: boolean };
  readonly #ingestEnv: Readonly<Record<string, string>>;

  private constructor(of: {
    ingestPort: number;
    held: Held;
    link: { isCut: boolean };
    ingestEnv: Readonly<Record<string, string>>;
  }) {
    this.ingestPort = of.ingestPort;
    this.#held = of.held;
    this.#link = of.link;
    this.#ingestEnv = of.ingestEnv;
  }

  static async start(): Promise<TrialSystem> {
    const [proxyPort, ingestPort] = (await freePorts(2)) as [number, number];
    const cluster = await startCluster({
      count: 1,
      listeners: [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertisedPorts: [proxyPort] }],
    });
    const ending: AsyncDisposable[] = [{ [Symbol.asyncDispose]: () => cluster.stop() }];
    try {
      const link = { isCut: false };
      // A request under way may have been stored although its answer is lost.
      const verdict = () => (link.isCut ? 'cut' : 'pass');
      const targetPort = cluster.listenerPorts[0]!.PROXIED!;
      const hooks = { onRequest: verdict, onAnswer: verdict } as const;
      const proxy = await KafkaProxy.start({ port: proxyPort, targetPort, hooks });
      ending.unshift(proxy);
      const ingestEnv = {
        KAFKA_BROKERS: `127.0.0.1:${proxyPort}`,
        RUNLOG_INGEST_PORT: String(ingestPort),
        RUNLOG_PARTITIONS: '4',
      };
      const ingest = await ServiceProcess.start('ingest', ingestEnv);
      ending.unshift(ingest);
      const env = { KAFKA_BROKERS: cluster.brokers.join(',') };
      const aggregator = await ServiceProcess.start('aggregator', env);
      ending.unshift(aggregator);
      const gateway = await ServiceProcess.start('gateway', env);
      const held = { cluster, proxy, readers: [aggregator, gateway], ingest };
      return new TrialSystem({ ingestPort, held, link, ingestEnv });
    } catch (error) {
      for (const each of ending) await each[Symbol.asyncDispose]();
      throw error;
    }
  }

  get gateway(): string {
    return this.#held.readers[1]!.addresses.gateway!;
  }

  /** What ingest has written about itself. */
  get ingestOutput(): string {
    return this.#held.ingest.output;
  }

  /** Ends every connection between ingest and the broker, with whatever is under way on it, and lets none succeed. */
  cutBroker(): void {
    this.#link.isCut = true;
    this.#held.proxy.cut();
  }

  mendBroker(): void {
    this.#link.isCut = false;
  }

  async killIngest(): Promise<void> {
    await this.#held.ingest.end('SIGKILL');
    this.#held.ingest = await ServiceProcess.start('ingest', this.#ingestEnv);
  }

  runlog(args: readonly string[]) {
    return runCli(args, {
      KAFKA_BROKERS: this.#held.cluster.brokers.join(','),
      RUNLOG_GATEWAY_URL: this.gateway,
      RUNLOG_INGEST_URL: `http://127.0.0.1:${this.ingestPort}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { cluster, proxy, readers, ingest } = this.#held;
    await Promise.all([...readers, ingest].map((each) => each[Symbol.asyncDispose]()));
    await proxy[Symbol.asyncDispose]();
    await cluster.stop();
  }
}
