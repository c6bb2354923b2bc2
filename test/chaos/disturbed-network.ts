import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { MavenBrokers } from '../support/broker-maven.ts';
import type { KafkaRequest } from '../support/kafka-frame.ts';
import { KafkaProxy, type Verdict } from '../support/kafka-proxy.ts';

/** The listener whose clients come through a proxy. */
export const PROXIED = 'PROXIED';
const HOLD_CHANCE = 0.1;
const LOSE_ANSWER_CHANCE = 0.05;
/** Of requests that write nothing: their connection ends. */
const CUT_CHANCE = 0.01;
/** Some come while the fault lasts, some long after it, to brokers that have other leaders and holders by then. */
const LATE_MS = { min: 5, max: 6_000 };
const HELD_MAX = 500;

/**
 * The way between the services and the brokers, one proxy for each broker. While it is disturbed, connections are cut,
 * answers are lost, and requests that write are kept back and arrive late, when their repetition has long succeeded.
 */
export class DisturbedNetwork implements AsyncDisposable {
  /** Where the services find the brokers. */
  readonly brokers: readonly string[];
  readonly #proxies: readonly KafkaProxy[];
  readonly #held = new Set<NodeJS.Timeout>();
  #random: SeededRandom | null = null;
  heldBack = 0;
  answersLost = 0;

  private constructor(ports: readonly number[], proxies: KafkaProxy[]) {
    this.brokers = ports.map((port) => `127.0.0.1:${port}`);
    this.#proxies = proxies;
  }

  /** The brokers have a listener `PROXIED`, advertised on these ports. */
  static async start(cluster: MavenBrokers, ports: readonly number[]): Promise<DisturbedNetwork> {
    const proxies: KafkaProxy[] = [];
    const network = new DisturbedNetwork(ports, proxies);
    for (const [index, port] of ports.entries()) {
      const proxy: KafkaProxy = await KafkaProxy.start({
        port,
        targetPort: cluster.listenerPorts[index]![PROXIED]!,
        hooks: {
          onRequest: (request) => network.#onRequest(request, index),
          onAnswer: (request) => network.#onAnswer(request),
        },
      });
      proxies.push(proxy);
    }
    return network;
  }

  /** Disturbs until the returned function is called. What is held then still arrives late. */
  disturb(random: SeededRandom): () => void {
    this.#random = random;
    return () => {
      this.#random = null;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#held) clearTimeout(timer);
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  }

  #onRequest(request: KafkaRequest, broker: number): Verdict {
    const random = this.#random;
    if (random === null) return 'pass';
    if (request.api === 'other') return random.chance(CUT_CHANCE) ? 'cut' : 'pass';
    if (this.#held.size >= HELD_MAX || !random.chance(HOLD_CHANCE)) return 'pass';
    this.heldBack += 1;
    const timer = setTimeout(
      () => {
        this.#held.delete(timer);
        void this.#proxies[broker]!.deliver(request);
      },
      random.between(LATE_MS.min, LATE_MS.max),
    );
    this.#held.add(timer);
    return 'cut';
  }

  #onAnswer(request: KafkaRequest): Verdict {
    if (request.api === 'other' || this.#random?.chance(LOSE_ANSWER_CHANCE) !== true) return 'pass';
    this.answersLost += 1;
    return 'cut';
  }
}
