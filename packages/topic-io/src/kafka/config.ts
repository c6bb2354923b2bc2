import type { Logger } from '../logger.ts';

/**
 * The encoder that turns records into batches. kafkajs's takes twice as long, and is the fallback in case ours is
 * wrong.
 */
export const KAFKA_ENCODERS = ['own', 'kafkajs'] as const;
export type KafkaEncoder = (typeof KAFKA_ENCODERS)[number];

/** A secret, or the file that holds it; the file is read anew for each connection, so that it can be replaced. */
export type Secret = { readonly value: string } | { readonly file: string };

/** All files are PEM, and are read anew for each connection. */
export interface KafkaTls {
  /** The authorities that are trusted, instead of those that Node knows. */
  readonly caFile?: string;
  /** What the broker is shown if it asks who connects. */
  readonly client?: { readonly certFile: string; readonly keyFile: string; readonly passphrase?: Secret };
  /** The name in the brokers' certificates, if it is not the host that is connected to. */
  readonly serverName?: string;
}

export type KafkaSasl = PasswordSasl | OauthSasl | MskIamSasl;

export interface PasswordSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: Secret;
}

export interface OauthSasl {
  readonly mechanism: 'oauthbearer';
  readonly token: TokenEndpoint | { readonly file: string };
  /** Further names and values that some brokers want beside the token. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** Where a client gets a token for its own id and secret (RFC 6749, 4.4). */
export interface TokenEndpoint {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scope?: string;
  /** The authorities that are trusted at the endpoint, instead of those that Node knows. */
  readonly caFile?: string;
}

export interface MskIamSasl {
  readonly mechanism: 'aws-msk-iam';
  readonly region: string;
}

export interface KafkaOptions {
  /** `host:port` of some brokers. The rest of the cluster is found through any of them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean | KafkaTls;
  readonly sasl?: KafkaSasl;
  /** `own` unless set. zstd batches are always our own: kafkajs has no zstd. */
  readonly encoder?: KafkaEncoder;
  readonly logger: Logger;
}

/** Every bound of the Kafka engine. Times are in milliseconds. */
export const BOUNDS = {
  connectMs: 3_000,
  authenticateMs: 5_000,
  /** The bound of one request to a token endpoint; there are at most `tokenTries`. */
  tokenRequestMs: 3_000,
  tokenTries: 3,
  /** The bound of a produce request, which a slow replica may delay. A lost request is repeated within `appendMs`. */
  produceRequestMs: 5_000,
  requestMs: 8_000,
  /** The bound from `append` to its answer. It is short enough that an HTTP caller can still answer 503. */
  appendMs: 10_000,
  /** The bound of any other operation of the port. */
  operationMs: 10_000,
  transactionMs: 10_000,
  /** Opening a fenced writer waits for the transaction of a killed holder, at most `transactionMs`. */
  openFencedMs: 20_000,
  abortMs: 2_000,
  /** How long an append waits for the settings of its topic. Without them it is tried with the usual ones. */
  limitsMs: 2_000,
  visibleMs: 1_000,
  takeAgainMaxMs: 1_000,
  closeMs: 2_000,
  metadataAgeMs: 60_000,
  retryDelayMinMs: 10,
  retryDelayMaxMs: 500,
  /** How long a passing fault must last before it is logged. */
  faultWorthALineMs: 1_000,
  batchBytes: 500 * 1024,
  batchRecords: 4_000,
  /** `max.message.bytes` of runlog's topics. No larger record is sent, whatever a topic may take. */
  messageBytes: 1024 * 1024,
  laneBytes: 32 * 1024 * 1024,
  longPollMs: 250,
  fetchBytes: 4 * 1024 * 1024,
  fetchPartitionBytes: 1024 * 1024 + 64 * 1024,
  /** What the batches of an answer may inflate to, besides the last of them. The rest is fetched again. */
  inflatedBytes: 64 * 1024 * 1024,
  sessionMs: 10_000,
  rebalanceMs: 10_000,
  heartbeatMs: 500,
} as const;
