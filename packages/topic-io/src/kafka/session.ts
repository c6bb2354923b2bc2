import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker, ProtocolCall } from 'kafkajs/src/broker/index.js';
import Cluster, { type ClusterMetadata } from 'kafkajs/src/cluster/index.js';
import loggers from 'kafkajs/src/loggers/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import metadataResponse from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import { TopicIoError } from '../topic-io.ts';
import { splitAddress } from './broker-address.ts';
import { certificateName } from './certificate-name.ts';
import { BOUNDS, type KafkaEncoder, type KafkaOptions } from './config.ts';
import {
  about,
  faultAbout,
  isRetriable,
  KAFKA,
  KafkaFault,
  ThrottledFault,
  toKafkaFault,
  toTopicIoError,
} from './faults.ts';
import { refuseOldBroker } from './oldest-broker.ts';
import type { Reachability } from './reachability.ts';
import { type Identity, remedyFor } from './remedies.ts';
import { KafkaSecurity } from './security.ts';
import { socketFactory } from './socket.ts';
import type { Throttling } from './throttling.ts';

const READ_COMMITTED = 1;
const COORDINATOR_TYPE = { group: 0, transaction: 1 } as const;
/** Faults that say nothing about which broker leads what. */
const KEEPS_METADATA = new Set<number | null>([
  KAFKA.requestTimedOut,
  KAFKA.coordinatorLoading,
  KAFKA.concurrentTransactions,
]);

export interface AttemptOptions {
  /** Says in messages what could not be done. */
  readonly doing: string;
  readonly timeoutMs: number;
  readonly transactional?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * A private set of connections to the cluster. It is kafkajs's `Cluster` with our retries, our bounds, and a metadata
 * request in which one broken topic does not spoil all others. It connects on first use.
 */
export class KafkaSession implements AsyncDisposable {
  readonly encoder: KafkaEncoder;
  readonly #cluster: Cluster;
  readonly #security: KafkaSecurity;
  readonly #identity: Identity;
  readonly #throttling: Throttling;
  readonly #closing = new AbortController();
  readonly #coordinators = new Map<string, number>();
  #metadataStale = false;

  constructor(options: {
    kafka: KafkaOptions;
    /** Is shared by the sessions of a log, so that they have one token and notice a replaced file together. */
    security?: KafkaSecurity;
    reachability: Reachability;
    requestTimeoutMs: number;
  }) {
    const { kafka, security = new KafkaSecurity(kafka) } = options;
    this.encoder = kafka.encoder ?? 'own';
    // Each request in flight has a listener.
    setMaxListeners(0, this.#closing.signal);
    this.#security = security;
    this.#identity = identityOf(kafka);
    this.#throttling = options.reachability.throttling;
    this.#cluster = new Cluster({
      logger: loggers.createLogger({
        level: loggers.LEVELS.INFO,
        // Most errors that kafkajs logs are retries of its own. Reachability reports a fault that lasts.
        logCreator: () => (entry) =>
          kafka.logger.debug({ ...entry.log, namespace: entry.namespace }, 'kafkajs'),
      }),
      socketFactory: socketFactory(this.#closing.signal, security.tlsOptions),
      brokers: kafka.brokers,
      ssl: security.tlsOptions !== null,
      sasl: security.login,
      clientId: kafka.clientId,
      connectionTimeout: BOUNDS.connectMs,
      authenticationTimeout: BOUNDS.authenticateMs,
      requestTimeout: options.requestTimeoutMs,
      enforceRequestTimeout: true,
      metadataMaxAge: BOUNDS.metadataAgeMs,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel: READ_COMMITTED,
      retry: { retries: 0, initialRetryTime: 10, maxRetryTime: 10 },
    });
    const pool = this.#cluster.brokerPool;
    const { build } = pool.connectionPoolBuilder;
    let asked = 0;
    // kafkajs takes the address that it begins with apart at its first colon.
    pool.connectionPoolBuilder.build = (at) => {
      const address = kafka.brokers[asked % kafka.brokers.length];
      if (at !== undefined || address === undefined) return build(at);
      asked += 1;
      return build(splitAddress(address));
    };
    const createBroker = pool.createBroker;
    pool.createBroker = (brokerOptions) => {
      const broker = createBroker(brokerOptions);
      broker.metadata = (topics) => broker.connectionPool.send(metadataCall(topics));
      options.reachability.watch(broker.connectionPool, this.closing);
      return broker;
    };
  }

  /** Whether a quota of the cluster has this process wait. Empty answers say nothing then. */
  get isThrottled(): boolean {
    return this.#throttling.leftMs > 0;
  }

  /** A signal that aborts when the session is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs `operation` until it succeeds, fails for good, or the time is up. Rejects only with a TopicIoError. */
  async attempt<T>(options: AttemptOptions, operation: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const signals = options.signal ? [options.signal, this.closing] : [this.closing];
    const isAborted = () => signals.some((signal) => signal.aborted);
    let delayMs: number = BOUNDS.retryDelayMinMs;
    let former: KafkaFault | null = null;
    for (;;) {
      if (isAborted()) throw new TopicIoError('closed', `${options.doing}: closed`);
      const leftMs = Math.max(options.timeoutMs - (performance.now() - startedMs), 1);
      try {
        return await within({ timeoutMs: leftMs, signals }, this.once(operation));
      } catch (error) {
        if (isAborted()) throw new TopicIoError('closed', `${options.doing}: closed`, { cause: error });
        const newest = toKafkaFault(error);
        // The last try may have had hardly any time. The one before says more.
        const fault: KafkaFault =
          newest instanceof NoAnswerInTime ? (former ?? this.#whyLate(newest)) : newest;
        former = fault;
        const elapsedMs = performance.now() - startedMs;
        const last = elapsedMs + delayMs >= options.timeoutMs;
        if (last || !isRetriable(fault)) throw this.explained(fault, options);
        await pause(delayMs * (0.75 + Math.random() / 2), signals);
        delayMs = Math.min(delayMs * 2, BOUNDS.retryDelayMaxMs);
      }
    }
  }

  #whyLate(fault: NoAnswerInTime): KafkaFault {
    const leftMs = Math.round(this.#throttling.leftMs);
    if (leftMs === 0) return fault;
    const why = `a quota of the cluster has this process wait for another ${leftMs} ms`;
    return new ThrottledFault(null, why, { cause: fault });
  }

  /** Connects and runs `operation` once. Rejects with a KafkaFault; the next use then starts with fresh metadata. */
  async once<T>(operation: () => Promise<T>): Promise<T> {
    try {
      const result = await this.#connected(operation);
      this.#security.worked();
      return result;
    } catch (error) {
      const fault = this.#security.explain(toKafkaFault(error));
      this.recoverFrom(fault);
      throw fault;
    }
  }

  /** Converts a fault to the port's error, which says what an administrator has to do if it takes one. */
  explained(error: unknown, options: { doing: string; transactional?: boolean }): TopicIoError {
    return toTopicIoError(error, { ...options, remedy: (fault) => remedyFor(fault, this.#identity) });
  }

  /** Returns the broker with this id, connected. */
  broker(nodeId: number): Promise<Broker> {
    return this.#cluster.findBroker({ nodeId });
  }

  /** Returns the broker that leads the partition, connected. Rejects with a KafkaFault; use it within `attempt`. */
  async leader(position: { topic: string; partition: number }): Promise<Broker> {
    const of = async () => {
      const partitions = await this.partitions(position.topic);
      return partitions.find(({ partitionId }) => partitionId === position.partition);
    };
    let found = await of();
    if (found === undefined) {
      // Partitions may have been added since.
      await this.refresh();
      found = await of();
    }
    if (found === undefined) {
      const message = `there is no partition ${position.partition} in topic ${position.topic}`;
      throw new KafkaFault(KAFKA.invalidPartitions, message);
    }
    if (found.leader < 0) {
      const name = `${position.topic}/${position.partition}`;
      throw new KafkaFault(KAFKA.leaderNotAvailable, `${name} has no leader at the moment`);
    }
    return this.#cluster.findBroker({ nodeId: found.leader });
  }

  /** Returns the partitions of a topic as last known, and asks if the topic is new. Use it within `attempt`. */
  async partitions(topic: string) {
    const cluster = this.#cluster;
    const known = () => cluster.brokerPool.metadata?.topicMetadata.find((entry) => entry.topic === topic);
    cluster.targetTopics.add(topic);
    // Two refreshes may be needed: one that was already in flight may have been sent before the topic was added.
    for (let refreshes = 0; known() === undefined && refreshes < 2; refreshes += 1)
      await cluster.refreshMetadata();
    const found = known();
    if (found === undefined || found.topicErrorCode === KAFKA.unknownTopicOrPartition) {
      this.forgetTopic(topic);
      throw new KafkaFault(KAFKA.unknownTopicOrPartition, `there is no topic ${topic}`);
    }
    if (found.topicErrorCode !== 0 && found.partitionMetadata.length === 0) {
      throw faultAbout(found.topicErrorCode, { resource: 'topic', name: topic, operation: 'Describe' });
    }
    return found.partitionMetadata;
  }

  /** Stops asking for the topic; the next use asks anew. */
  forgetTopic(topic: string): void {
    this.#cluster.targetTopics.delete(topic);
    this.#metadataStale = true;
  }

  /** Asks the cluster now. Use it within `attempt`. */
  async refresh(): Promise<ClusterMetadata> {
    await this.#cluster.refreshMetadata();
    const { metadata } = this.#cluster.brokerPool;
    if (metadata === null) throw new KafkaFault(null, 'the cluster sent no metadata');
    return metadata;
  }

  /** Returns the controller, connected, for requests such as topic creation. */
  async controller(): Promise<Broker> {
    const { controllerId } = await this.refresh();
    if (controllerId < 0)
      throw new KafkaFault(KAFKA.notController, 'the cluster has no controller at the moment');
    return this.#cluster.findBroker({ nodeId: controllerId });
  }

  /** Returns the broker through which the cluster was found, and what was learned there. Use it within `once`. */
  found(): { readonly broker: Broker; readonly metadata: ClusterMetadata } {
    const { seedBroker, metadata } = this.#cluster.brokerPool;
    if (seedBroker === undefined || metadata === null) throw new KafkaFault(null, 'no broker is connected');
    return { broker: seedBroker, metadata };
  }

  /** Returns any connected broker. Use it within `attempt`. */
  async anyBroker(): Promise<Broker> {
    const ids = Object.keys(this.#cluster.brokerPool.brokers);
    const connected = ids.filter((id) => this.#cluster.brokerPool.brokers[id]?.isConnected());
    const candidates = connected.length > 0 ? connected : ids;
    const nodeId = candidates[Math.floor(Math.random() * candidates.length)];
    if (nodeId === undefined) throw new KafkaFault(null, 'no broker is known');
    return this.#cluster.findBroker({ nodeId });
  }

  /** Returns the coordinator of a consumer group or a transactional id, and remembers it until something fails. */
  async coordinator(of: { kind: keyof typeof COORDINATOR_TYPE; id: string }): Promise<Broker> {
    const key = `${of.kind} ${of.id}`;
    let nodeId = this.#coordinators.get(key);
    if (nodeId === undefined) {
      const broker = await this.anyBroker();
      const answer = await about(
        of.kind === 'group'
          ? { resource: 'group', name: of.id, operation: 'Read' }
          : { resource: 'transactional-id', name: of.id, operation: 'Write' },
        broker.findGroupCoordinator({ groupId: of.id, coordinatorType: COORDINATOR_TYPE[of.kind] }),
      );
      nodeId = answer.coordinator.nodeId;
      this.#coordinators.set(key, nodeId);
    }
    return this.#cluster.findBroker({ nodeId });
  }

  /** Ends every connection. With `abrupt` it does not wait for answers that are still due. */
  async close(options: { abrupt: boolean }): Promise<void> {
    if (this.closing.aborted) return;
    this.#closing.abort();
    const pool = this.#cluster.brokerPool;
    const refuse = async () => {
      throw new KafkaFault(null, 'the session is closed');
    };
    // An operation that is still running must not connect again.
    pool.connect = refuse;
    pool.connectBroker = refuse;
    const brokers = this.#brokers();
    const ended = this.#cluster.disconnect().catch(() => undefined);
    if (!options.abrupt) await Promise.race([ended, delay(BOUNDS.closeMs, undefined, { ref: false })]);
    for (const broker of brokers) destroySockets(broker, 'closed');
    if (options.abrupt) await Promise.race([ended, delay(BOUNDS.closeMs, undefined, { ref: false })]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ abrupt: false });
  }

  async #connected<T>(operation: () => Promise<T>): Promise<T> {
    const cluster = this.#cluster;
    if (cluster.brokerPool.metadata === null) {
      await cluster.connect();
      if (cluster.brokerPool.seedBroker !== undefined) refuseOldBroker(cluster.brokerPool.seedBroker);
      this.#metadataStale = true;
    }
    if (this.#metadataStale) {
      this.#metadataStale = false;
      try {
        await cluster.refreshMetadata();
      } catch (error) {
        this.#metadataStale = true;
        throw error;
      }
    } else {
      await cluster.refreshMetadataIfNecessary();
    }
    return operation();
  }

  /** Reacts to a fault: decides what to ask anew, and which connection is lost. */
  recoverFrom(fault: KafkaFault): void {
    if (!KEEPS_METADATA.has(fault.code)) {
      this.#metadataStale = true;
      this.#coordinators.clear();
    }
    // kafkajs keeps the connection, but if its host is lost, every further request would time out too.
    const cause = fault.cause as { name?: unknown; broker?: unknown } | undefined;
    if (cause?.name !== 'KafkaJSRequestTimeoutError') return;
    for (const broker of this.#brokers()) {
      const { host, port } = broker.connectionPool;
      if (cause.broker === `${host}:${port}`) destroySockets(broker, 'a request timed out');
    }
  }

  #brokers(): Broker[] {
    const { brokers, seedBroker } = this.#cluster.brokerPool;
    const all = new Set(Object.values(brokers));
    if (seedBroker !== undefined) all.add(seedBroker);
    return [...all];
  }
}

/** Certificates and tokens carry a name that only the broker makes a principal of. */
export function identityOf({ brokers, clientId, ssl, sasl }: KafkaOptions): Identity {
  const user = sasl !== undefined && 'username' in sasl ? sasl.username : null;
  // With SASL, the broker does not take the name from the certificate.
  const certFile = sasl === undefined && typeof ssl === 'object' ? ssl.client?.certFile : undefined;
  const certificate = certFile === undefined ? null : certificateName(certFile);
  return { brokers, clientId, user, certificate, isProven: sasl !== undefined || Boolean(ssl) };
}

function destroySockets(broker: Broker, reason: string): void {
  for (const { socket } of broker.connectionPool.pool) socket?.destroy(new Error(reason));
}

/**
 * Builds a metadata request (version 6) for exactly these topics. Errors of single topics and partitions stay in the
 * answer.
 */
function metadataCall(topics: readonly string[]): ProtocolCall<ClusterMetadata> {
  return {
    request: {
      apiKey: 3,
      apiVersion: 6,
      apiName: 'Metadata',
      encode: async () => new Encoder().writeArray(topics).writeBoolean(false),
    },
    response: { decode: metadataResponse.decode, parse: async (data) => data },
  };
}

class NoAnswerInTime extends KafkaFault {
  constructor(timeoutMs: number) {
    super(null, `no answer within ${Math.round(timeoutMs)} ms`);
  }
}

/**
 * Bounds an operation. It uses plain listeners instead of `AbortSignal.any`, because it runs for every request and the
 * signals live as long as the session.
 */
function within<T>(
  bound: { timeoutMs: number; signals: readonly AbortSignal[] },
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      for (const signal of bound.signals) signal.removeEventListener('abort', onAbort);
    };
    const onAbort = () => {
      end();
      reject(new KafkaFault(null, 'closed'));
    };
    const timer = setTimeout(() => {
      end();
      reject(new NoAnswerInTime(bound.timeoutMs));
    }, bound.timeoutMs);
    for (const signal of bound.signals) signal.addEventListener('abort', onAbort, { once: true });
    work.then(
      (result) => {
        end();
        resolve(result);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}

function pause(timeoutMs: number, signals: readonly AbortSignal[]): Promise<void> {
  const never = new Promise<never>(() => undefined);
  return within({ timeoutMs, signals }, never).catch(() => undefined);
}
