import { TopicIoError, type TopicIoErrorCode } from '../topic-io.ts';

/** A broker's error answer or a failure to reach it, with Kafka's own error code if there is one. */
export class KafkaFault extends Error {
  /** Kafka's protocol error code; null if no broker answered. */
  readonly code: number | null;

  constructor(code: number | null, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'KafkaFault';
    this.code = code;
  }
}

/** Kafka protocol error codes that are treated specially. */
export const KAFKA = {
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  notController: 41,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  unknownProducerId: 59,
  memberIdRequired: 79,
  producerFenced: 90,
} as const;

/** Is not Kafka's: the connection itself is refused, so nothing was sent (`ConnectionRefusal`). */
export const NOT_CONNECTABLE = -1_000;

/**
 * Codes after which trying again cannot help: configuration, permission, or a request that this cluster does not
 * accept.
 */
const UNUSABLE = new Set<number>([
  NOT_CONNECTABLE,
  17, // INVALID_TOPIC_EXCEPTION
  29, // TOPIC_AUTHORIZATION_FAILED
  30, // GROUP_AUTHORIZATION_FAILED
  31, // CLUSTER_AUTHORIZATION_FAILED
  32, // INVALID_TIMESTAMP
  33, // UNSUPPORTED_SASL_MECHANISM
  35, // UNSUPPORTED_VERSION
  KAFKA.invalidPartitions,
  38, // INVALID_REPLICATION_FACTOR
  40, // INVALID_CONFIG
  42, // INVALID_REQUEST
  43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44, // POLICY_VIOLATION
  50, // INVALID_TRANSACTION_TIMEOUT
  53, // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  58, // SASL_AUTHENTICATION_FAILED
  73, // TOPIC_DELETION_DISABLED
  76, // UNSUPPORTED_COMPRESSION_TYPE
  81, // GROUP_MAX_SIZE_REACHED
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
    return new KafkaFault(unknown ? Number(unknown[1]) : error.code, error.message, { cause: error });
  }
  if (error.name === 'KafkaJSSASLAuthenticationError')
    return new KafkaFault(58, error.message, { cause: error });
  if (error.name === 'KafkaJSServerDoesNotSupportApiKey')
    return new KafkaFault(35, error.message, { cause: error });
  const retriesExceeded = error.name === 'KafkaJSNumberOfRetriesExceeded';
  if (retriesExceeded || error.name === 'KafkaJSNonRetriableError') {
    if (error.cause !== undefined && error.cause !== error) return toKafkaFault(error.cause);
  }
  return new KafkaFault(null, error.message, { cause: error });
}

/** Whether the same request may be sent again as it is. */
export function isRetriable(fault: KafkaFault): boolean {
  if (fault.code === null) return true;
  if (UNUSABLE.has(fault.code) || LOST_PRODUCER.has(fault.code)) return false;
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
  return fault.code === null || !(NOT_APPENDED.has(fault.code) || UNUSABLE.has(fault.code));
}

/** Converts a fault to the port's error. The code is `fenced` only if a writer id is held (`transactional`). */
export function toTopicIoError(
  error: unknown,
  options: { doing: string; transactional?: boolean },
): TopicIoError {
  if (error instanceof TopicIoError) return error;
  const fault = toKafkaFault(error);
  const code = codeOf(fault, options.transactional ?? false);
  return new TopicIoError(code, `${options.doing}: ${fault.message}`, { cause: fault });
}

function codeOf(fault: KafkaFault, transactional: boolean): TopicIoErrorCode {
  if (fault.code === null) return 'unavailable';
  if (transactional && FENCED.has(fault.code)) return 'fenced';
  if (fault.code === KAFKA.messageTooLarge || fault.code === KAFKA.recordListTooLarge) return 'too_large';
  return UNUSABLE.has(fault.code) ? 'unusable' : 'unavailable';
}
