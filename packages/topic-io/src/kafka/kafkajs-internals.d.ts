/**
 * Types of the parts of kafkajs 2.2.4 that are used below its public interface. The package is frozen and pinned
 * exactly.
 */

declare module 'kafkajs/src/cluster/index.js' {
  import type { Broker } from 'kafkajs/src/broker/index.js';
  import type { SocketFactory } from 'kafkajs/src/network/socketFactory.js';

  export interface PartitionMetadata {
    readonly partitionErrorCode: number;
    readonly partitionId: number;
    readonly leader: number;
    readonly replicas: readonly number[];
    readonly isr: readonly number[];
    readonly offlineReplicas: readonly number[];
  }

  export interface TopicMetadata {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly PartitionMetadata[];
  }

  export interface ClusterMetadata {
    readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
    readonly clusterId: string | null;
    readonly controllerId: number;
    readonly topicMetadata: readonly TopicMetadata[];
  }

  export default class Cluster {
    constructor(options: {
      logger: unknown;
      socketFactory: SocketFactory;
      brokers: readonly string[];
      ssl: boolean;
      /** Is handed through to the connections, where only our authenticator looks at it. */
      sasl: unknown;
      clientId: string;
      connectionTimeout: number;
      authenticationTimeout: number;
      requestTimeout: number;
      enforceRequestTimeout: boolean;
      metadataMaxAge: number;
      allowAutoTopicCreation: boolean;
      maxInFlightRequests: number | null;
      isolationLevel: number;
      retry: { retries: number; initialRetryTime: number; maxRetryTime: number };
    });
    readonly targetTopics: Set<string>;
    readonly brokerPool: {
      metadata: ClusterMetadata | null;
      metadataExpireAt: number | null;
      readonly brokers: Readonly<Record<string, Broker>>;
      readonly seedBroker: Broker | undefined;
      readonly connectionPoolBuilder: {
        /** Without an address, it takes those that the cluster was given in turn. */
        build(at?: { host: string; port: number; rack?: string }): Promise<unknown>;
      };
      createBroker(options: object): Broker;
      connect(): Promise<void>;
      connectBroker(broker: Broker): Promise<void>;
    };
    isConnected(): boolean;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    refreshMetadata(): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
    findBroker(options: { nodeId: number | string }): Promise<Broker>;
  }
}

declare module 'kafkajs/src/broker/index.js' {
  import type { Socket } from 'node:net';
  import type { ClusterMetadata } from 'kafkajs/src/cluster/index.js';

  export interface ProtocolCall<T> {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      readonly apiName: string;
      encode(): Promise<unknown>;
    };
    readonly response: {
      decode(raw: Buffer): Promise<T & { readonly clientSideThrottleTime: number }>;
      parse(data: T): Promise<T>;
    };
    readonly requestTimeout?: number;
    readonly logResponseError?: boolean;
  }

  export interface MessageToEncode {
    readonly key: string;
    readonly value: Buffer | null;
    /** This is a string, because kafkajs reads the number 0 as "now". */
    readonly timestamp: string;
    readonly headers: Readonly<Record<string, string>>;
  }

  export interface Broker {
    readonly nodeId: number | null;
    readonly versions: Readonly<
      Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
    > | null;
    readonly connectionPool: {
      readonly host: string;
      readonly port: number;
      readonly pool: readonly { readonly socket?: Socket }[];
      send<T>(call: ProtocolCall<T>): Promise<T>;
      getConnection(index?: number): Promise<unknown>;
    };
    metadata(topics: readonly string[]): Promise<ClusterMetadata>;
    isConnected(): boolean;
    produce(options: {
      acks: number;
      timeout: number;
      transactionalId?: string;
      /** Both strings and numbers can be encoded. The broker's own answer is passed back unchanged. */
      producerId: unknown;
      producerEpoch: number;
      /** Kafka's number of the codec. kafkajs supports only none and gzip. */
      compression?: number;
      topicData: readonly {
        readonly topic: string;
        readonly partitions: readonly {
          readonly partition: number;
          readonly firstSequence: number;
          readonly messages: readonly MessageToEncode[];
        }[];
      }[];
    }): Promise<{
      readonly topics: readonly {
        readonly topicName: string;
        readonly partitions: readonly {
          readonly partition: number;
          readonly errorCode: number;
          readonly baseOffset: string;
        }[];
      }[];
    }>;
    initProducerId(options: {
      transactionalId?: string;
      transactionTimeout: number;
    }): Promise<{ readonly producerId: unknown; readonly producerEpoch: number }>;
    addPartitionsToTxn(options: {
      transactionalId: string;
      producerId: unknown;
      producerEpoch: number;
      topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
    }): Promise<unknown>;
    addOffsetsToTxn(options: {
      transactionalId: string;
      producerId: unknown;
      producerEpoch: number;
      groupId: string;
    }): Promise<unknown>;
    txnOffsetCommit(options: {
      transactionalId: string;
      groupId: string;
      producerId: unknown;
      producerEpoch: number;
      topics: readonly {
        readonly topic: string;
        readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
      }[];
    }): Promise<unknown>;
    endTxn(options: {
      transactionalId: string;
      producerId: unknown;
      producerEpoch: number;
      transactionResult: boolean;
    }): Promise<unknown>;
    listOffsets(options: {
      isolationLevel: number;
      topics: readonly {
        readonly topic: string;
        readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
      }[];
    }): Promise<{
      readonly responses: readonly {
        readonly topic: string;
        readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
      }[];
    }>;
    deleteTopics(options: { topics: readonly string[]; timeout: number }): Promise<unknown>;
    describeConfigs(options: {
      resources: readonly { readonly type: number; readonly name: string }[];
      includeSynonyms: boolean;
    }): Promise<{
      readonly resources: readonly {
        readonly resourceName: string;
        readonly configEntries: readonly {
          readonly configName: string;
          readonly configValue: string | null;
        }[];
      }[];
    }>;
    findGroupCoordinator(options: {
      groupId: string;
      coordinatorType: number;
    }): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
    joinGroup(options: {
      groupId: string;
      sessionTimeout: number;
      rebalanceTimeout: number;
      memberId: string;
      groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
    }): Promise<{
      readonly generationId: number;
      readonly leaderId: string;
      readonly memberId: string;
      readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
    }>;
    syncGroup(options: {
      groupId: string;
      generationId: number;
      memberId: string;
      groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
    }): Promise<{ readonly memberAssignment: Buffer }>;
    heartbeat(options: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
    leaveGroup(options: { groupId: string; memberId: string }): Promise<unknown>;
  }
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net';
  import type { ProtocolCall } from 'kafkajs/src/broker/index.js';
  import type RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
  import type { SaslLogin } from './sasl-login.ts';

  export interface Connection {
    readonly host: string;
    readonly port: number;
    /** `host:port` */
    readonly broker: string;
    readonly sasl: SaslLogin;
    /** Is null until a connection has authenticated for the first time. */
    readonly authenticatedAt: readonly [number, number] | null;
    readonly socket?: Socket;
    readonly requestQueue: typeof RequestQueue.prototype;
    /** How long before the end of its session a connection authenticates again, in whole milliseconds. */
    reauthenticationThreshold: number;
    chunks: Buffer[];
    readonly bytesBuffered: number;
    isConnected(): boolean;
    connect(): Promise<unknown>;
    send<T>(call: Pick<ProtocolCall<T>, 'request' | 'response'>): Promise<T>;
    processData(bytes: Buffer): void;
  }
  const connection: { readonly prototype: Connection };
  export default connection;
}

declare module 'kafkajs/src/broker/saslAuthenticator/index.js' {
  import type { ProtocolCall } from 'kafkajs/src/broker/index.js';
  import type { Connection } from 'kafkajs/src/network/connection.js';

  /** One connection's exchange of SASL messages. */
  export interface SaslExchange {
    readonly host: string;
    readonly port: number;
    readonly broker: string;
    readonly logger: unknown;
    /** Whether the connection was lost, so that a failure is no verdict of the broker. */
    isLost(): boolean;
    saslAuthenticate<T>(message: {
      request: { encode(): Promise<Buffer> };
      response?: { decode(raw: Buffer): Promise<T>; parse(data: T): Promise<T> };
    }): Promise<T>;
  }

  export default class SaslAuthenticator {
    readonly connection: Connection;
    readonly logger: { namespace(name: string): unknown };
    readonly saslHandshake: (options: { mechanism: string }) => ProtocolCall<{
      readonly errorCode: number;
      readonly enabledMechanisms: readonly string[];
    }>;
    /** Is null if the broker does not know SaslAuthenticate. */
    readonly protocolAuthentication:
      | ((options: { authBytes: Buffer }) => ProtocolCall<{
          readonly authBytes: Buffer;
          readonly sessionLifetimeMs?: string;
        }>)
      | null;
    sessionLifetime: string;
    authenticate(): Promise<void>;
  }
}

declare module 'kafkajs/src/broker/saslAuthenticator/plain.js' {
  import type { SaslExchange } from 'kafkajs/src/broker/saslAuthenticator/index.js';

  export default function provider(credentials: {
    username: string;
    password: string;
  }): (exchange: SaslExchange) => { authenticate(): Promise<void> };
}

declare module 'kafkajs/src/broker/saslAuthenticator/scram256.js' {
  export { default } from 'kafkajs/src/broker/saslAuthenticator/plain.js';
}

declare module 'kafkajs/src/broker/saslAuthenticator/scram512.js' {
  export { default } from 'kafkajs/src/broker/saslAuthenticator/plain.js';
}

declare module 'kafkajs/src/network/socketFactory.js' {
  import type { Socket } from 'node:net';

  export type SocketFactory = (options: {
    readonly host: string;
    readonly port: number;
    readonly ssl: object | boolean | null;
    readonly onConnect: () => void;
  }) => Socket;
  export default function createSocketFactory(): SocketFactory;
}

declare module 'kafkajs/src/loggers/index.js' {
  export interface LogEntry {
    readonly namespace: string;
    readonly label: string;
    readonly log: { readonly message: string; readonly [field: string]: unknown };
  }
  const loggers: {
    createLogger(options: { level: number; logCreator: () => (entry: LogEntry) => void }): unknown;
    readonly LEVELS: { readonly INFO: number };
  };
  export default loggers;
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export interface PushedRequest {
    readonly entry: { readonly apiKey: number; reject(error: unknown): void };
  }
  interface RequestQueue {
    push(request: PushedRequest): void;
    readonly pending: readonly unknown[];
    readonly throttledUntil: number;
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
  const requestQueue: { readonly prototype: RequestQueue };
  export default requestQueue;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    buf: Buffer;
    /** The number of bytes of `buf` that are written. */
    offset: number;
    writeInt8(value: number): this;
    writeInt16(value: number): this;
    writeInt32(value: number): this;
    /** Takes numbers, and what kafkajs itself decoded. */
    writeInt64(value: unknown): this;
    writeBuffer(value: Buffer): this;
    writeBoolean(value: boolean): this;
    /** With its length in front. */
    writeBytes(value: Buffer): this;
    /** What is written so far. */
    readonly buffer: Buffer;
    writeString(value: string | null): this;
    writeUVarIntString(value: string | null): this;
    /** Counts objects only. */
    writeUVarIntArray(values: readonly Encoder[]): this;
    writeEncoder(value: Encoder): this;
    writeArray(values: readonly (Encoder | string | number)[]): this;
  }
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer);
    readInt8(): number;
    readInt16(): number;
    readInt32(): number;
    readInt64(): { toString(): string };
    readString(): string | null;
    readBytes(): Buffer | null;
    readBoolean(): boolean;
    readBytes(byteLength: number): Buffer;
    readArray<Item>(read: (decoder: Decoder) => Item): Item[];
    readUVarIntString(): string | null;
    /** Returns null where the sender wrote none. */
    readUVarIntArray<Item>(read: (decoder: Decoder) => Item): Item[] | null;
    readTaggedFields(): unknown;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export const errorCodes: readonly { readonly code: number; readonly type: string }[];
}

declare module 'kafkajs/src/protocol/requests/metadata/v6/response.js' {
  import type { ClusterMetadata } from 'kafkajs/src/cluster/index.js';

  const response: { decode(raw: Buffer): Promise<ClusterMetadata & { clientSideThrottleTime: number }> };
  export default response;
}

declare module 'kafkajs/src/protocol/requests/createTopics/v2/request.js' {
  import type { ProtocolCall } from 'kafkajs/src/broker/index.js';

  export default function request(options: {
    topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    }[];
    validateOnly: boolean;
    timeout: number;
  }): ProtocolCall<unknown>['request'];
}

declare module 'kafkajs/src/protocol/requests/createTopics/v2/response.js' {
  const response: {
    decode(raw: Buffer): Promise<{
      readonly topicErrors: readonly { readonly errorCode: number; readonly errorMessage: string | null }[];
    }>;
  };
  export default response;
}

declare module 'kafkajs/src/consumer/assignerProtocol.js' {
  const protocol: {
    readonly MemberMetadata: {
      encode(options: { version: number; topics: readonly string[]; userData?: Buffer }): Buffer;
      decode(buffer: Buffer): { readonly userData: Buffer | null };
    };
    readonly MemberAssignment: {
      encode(options: { version: number; assignment: Readonly<Record<string, readonly number[]>> }): Buffer;
      decode(buffer: Buffer): { readonly assignment: Readonly<Record<string, readonly number[]>> } | null;
    };
  };
  export default protocol;
}
