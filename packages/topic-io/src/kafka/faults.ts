import type { AclOperation, AclResource } from '@runlog/schema/log/rights';
import { TopicIoError, type TopicIoErrorCode } from '../topic-io.ts';
import { errorName } from './error-names.ts';

/** What a request is about, and what its sender must be allowed to do with it. */
export interface FaultSubject {
  readonly resource: AclResource;
  readonly name: string;
  readonly partition?: number;
  readonly operation: AclOperation;
}

/** A broker's error answer or a failure to reach it, with Kafka's own error code if there is one. */
export class KafkaFault extends Error {
  /** Kafka's protocol error code; null if no broker answered. The message then begins with its name. */
  readonly code: number | null;
  /** What the request was about, if the message does not say it already. */
  readonly subject: FaultSubject | null;
  /** The message without the error's name. */
  readonly what: string;

  constructor(
    code: number | null,
    what: string,
    options: { cause?: unknown; subject?: FaultSubject | null } = {},
  ) {
    const { subject = null } = options;
    super(
      code === null || code === NOT_CONNECTABLE
        ? what
        : [errorName(code), what].filter((part) => part !== '').join(': '),
      options,
    );
    this.name = 'KafkaFault';
    this.code = code;
    this.subject = subject;
    this.what = what;
  }
}

/** There was no answer in time because a quota of the cluster has this process wait. That is no fault of the cluster. */
export class ThrottledFault extends KafkaFault {}

/**
 * Names what a request was about in its fault. Where several things are, the code says which of them is: a topic, a group,
 * a transactional id or the cluster.
 */
export async function about<T>(
  subjects: FaultSubject | readonly FaultSubject[],
  request: Promise<T>,
): Promise<T> {
  try {
    return await request;
  } catch (error) {
    const fault = toKafkaFault(error);
    if (fault.code === null || fault.subject !== null) throw fault;
    const all = [subjects].flat() as readonly FaultSubject[];
    const subject = all.find(({ resource }) => resource === resourceOf(fault.code)) ?? all[0] ?? null;
    // kafkajs only has a sentence for each code; a fault of our own has the broker's words.
    const words = error instanceof KafkaFault ? error.what : '';
    throw faultAbout(fault.code, subject, { cause: fault.cause ?? fault, words });
  }
}

export function faultAbout(
  code: number,
  subject: FaultSubject | null,
  options: { cause?: unknown; words?: string } = {},
): KafkaFault {
  const { cause, words = '' } = options;
  const parts = [subject === null ? '' : subjectText(subject), words];
  return new KafkaFault(code, parts.filter((part) => part !== '').join(': '), { cause, subject });
}

function subjectText({ resource, name, partition }: FaultSubject): string {
  if (resource === 'cluster') return 'the cluster';
  const text = `${resource.replace('-', ' ')} ${name}`;
  return partition === undefined ? text : `${text}, partition ${partition}`;
}

function resourceOf(code: number | null): AclResource | null {
  switch (code) {
    case KAFKA.topicAuthorizationFailed:
      return 'topic';
    case KAFKA.groupAuthorizationFailed:
      return 'group';
    case KAFKA.clusterAuthorizationFailed:
      return 'cluster';
    case KAFKA.transactionalIdAuthorizationFailed:
      return 'transactional-id';
    default:
      return null;
  }
}

/** Kafka protocol error codes that are treated specially. */
export const KAFKA = {
  unknownServerError: -1,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  illegalSaslState: 34,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  notController: 41,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  operationNotAttempted: 55,
  storageError: 56,
  saslAuthenticationFailed: 58,
  unknownProducerId: 59,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  producerFenced: 90,
  unknownTopicId: 100,
} as const;

/** Is not Kafka's: the connection itself is refused, so nothing was sent (`ConnectionRefusal`). */
export const NOT_CONNECTABLE = -1_000;

/** Codes with which the cluster refuses this process: only an administrator can mend that, but at any time. */
const DENIED = new Set<number>([
  KAFKA.inconsistentGroupProtocol,
  KAFKA.invalidSessionTimeout,
  KAFKA.groupMaxSizeReached,
  KAFKA.topicAuthorizationFailed,
  KAFKA.groupAuthorizationFailed,
  KAFKA.clusterAuthorizationFailed,
  KAFKA.transactionalIdAuthorizationFailed,
  KAFKA.saslAuthenticationFailed,
]);

/** Codes after which trying again cannot help: configuration, or a request that this cluster does not accept. */
const UNUSABLE = new Set<number>([
  NOT_CONNECTABLE,
  17, // INVALID_TOPIC_EXCEPTION
  KAFKA.invalidTimestamp,
  33, // UNSUPPORTED_SASL_MECHANISM
  KAFKA.illegalSaslState,
  KAFKA.unsupportedVersion,
  KAFKA.invalidPartitions,
  38, // INVALID_REPLICATION_FACTOR
  40, // INVALID_CONFIG
  42, // INVALID_REQUEST
  43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44, // POLICY_VIOLATION
  50, // INVALID_TRANSACTION_TIMEOUT
  73, // TOPIC_DELETION_DISABLED
  76, // UNSUPPORTED_COMPRESSION_TYPE
  87, // INVALID_RECORD
]);

const FENCED = new Set<number>([
  KAFKA.invalidProducerEpoch,
  KAFKA.producerFenced,
  KAFKA.invalidProducerIdMapping,
]);

const LOST_PRODUCER = new Set<number>([
  KAFKA.outOfOrderSequence,
  KAFKA.duplicateSequence,
  KAFKA.invalidProducerEpoch,
  KAFKA.invalidProducerIdMapping,
  KAFKA.unknownProducerId,
  KAFKA.producerFenced,
]);

const LOST_CONNECTION = /Closed connection|Connection (?:error|timeout)|Failed to connect|timed out/;

interface KafkajsError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly type?: unknown;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

function isKafkajsError(error: unknown): error is KafkajsError {
  return error instanceof Error;
}

/** Turns anything that kafkajs threw into one type. It unwraps causes, and reads unknown codes from the message. */
export function toKafkaFault(error: unknown): KafkaFault {
  if (error instanceof KafkaFault) return error;
  if (!isKafkajsError(error)) return new KafkaFault(null, String(error), { cause: error });
  const first = error.errors?.[0];
  if (first !== undefined) return toKafkaFault(first);
  if (typeof error.type === 'string' && typeof error.code === 'number') {
    // kafkajs's table ends at 88; newer codes appear only in the text.
    const unknown = /^Unknown error code (-?\d+)$/.exec(error.message);
    const code = unknown ? Number(unknown[1]) : error.code;
    return new KafkaFault(code, unknown ? '' : error.message, { cause: error });
  }
  if (error.name === 'KafkaJSSASLAuthenticationError') {
    // kafkajs says the same if the connection is lost meanwhile, which is no verdict of the broker.
    const isLost = LOST_CONNECTION.test(error.message);
    return new KafkaFault(isLost ? null : KAFKA.saslAuthenticationFailed, error.message, { cause: error });
  }
  if (error.name === 'KafkaJSServerDoesNotSupportApiKey')
    return new KafkaFault(KAFKA.unsupportedVersion, error.message, { cause: error });
  const retriesExceeded = error.name === 'KafkaJSNumberOfRetriesExceeded';
  if (retriesExceeded || error.name === 'KafkaJSNonRetriableError') {
    if (error.cause !== undefined && error.cause !== error) return toKafkaFault(error.cause);
  }
  return new KafkaFault(null, error.message, { cause: error });
}

/** Whether the same request may be sent again as it is. */
export function isRetriable(fault: KafkaFault): boolean {
  if (fault.code === null) return true;
  if (UNUSABLE.has(fault.code) || DENIED.has(fault.code) || LOST_PRODUCER.has(fault.code)) return false;
  if (fault.code === KAFKA.messageTooLarge || fault.code === KAFKA.recordListTooLarge) return false;
  return fault.code !== KAFKA.invalidTransactionState;
}

/** Whether the broker no longer accepts this producer's sequence. Only a new producer id can then continue. */
export function isLostProducer(fault: KafkaFault): boolean {
  return fault.code !== null && LOST_PRODUCER.has(fault.code);
}

/** Errors that a leader answers before it appends anything. */
const NOT_APPENDED = new Set<number>([
  KAFKA.unknownTopicOrPartition,
  KAFKA.leaderNotAvailable,
  6, // NOT_LEADER_OR_FOLLOWER
  KAFKA.messageTooLarge,
  KAFKA.recordListTooLarge,
  19, // NOT_ENOUGH_REPLICAS
  KAFKA.outOfOrderSequence,
  KAFKA.invalidProducerEpoch,
  KAFKA.invalidProducerIdMapping,
  KAFKA.concurrentTransactions,
  74, // FENCED_LEADER_EPOCH
  KAFKA.unknownProducerId,
  KAFKA.producerFenced,
]);

/** Whether the records of a failed produce request may be in the log nevertheless. */
export function mayHaveAppended(fault: KafkaFault): boolean {
  const { code } = fault;
  return code === null || !(NOT_APPENDED.has(code) || UNUSABLE.has(code) || DENIED.has(code));
}

/**
 * Converts a fault to the port's error. The code is `fenced` only if a writer id is held (`transactional`). The message of
 * one that only an administrator can mend ends with what it takes, if `remedy` knows it.
 */
export function toTopicIoError(
  error: unknown,
  options: { doing: string; transactional?: boolean; remedy?: (fault: KafkaFault) => string | null },
): TopicIoError {
  if (error instanceof TopicIoError) return error;
  const fault = toKafkaFault(error);
  const code = codeOf(fault, options.transactional ?? false);
  const remedy = options.remedy?.(fault) ?? null;
  const message = `${options.doing}: ${fault.message}`;
  return new TopicIoError(code, remedy === null ? message : `${message}; ${remedy}`, { cause: fault });
}

export function isDenied(fault: KafkaFault): boolean {
  return fault.code !== null && DENIED.has(fault.code);
}

function codeOf(fault: KafkaFault, transactional: boolean): TopicIoErrorCode {
  if (fault instanceof ThrottledFault) return 'overloaded';
  if (fault.code === null) return 'unavailable';
  if (transactional && FENCED.has(fault.code)) return 'fenced';
  if (fault.code === KAFKA.messageTooLarge || fault.code === KAFKA.recordListTooLarge) return 'too_large';
  if (DENIED.has(fault.code)) return 'denied';
  return UNUSABLE.has(fault.code) ? 'unusable' : 'unavailable';
}
