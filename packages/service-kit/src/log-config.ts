import { type TopicConfig, type TopicNames, topicNames } from '@runlog/schema/log/topics';
import { addressFault } from '@runlog/topic-io/kafka/broker-address';
import {
  KAFKA_ENCODERS,
  type KafkaEncoder,
  type KafkaOptions,
  type KafkaSasl,
} from '@runlog/topic-io/kafka/config';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import {
  kafkaSecurityEnvironment,
  kafkaSecurityFaults,
  kafkaSecurityOf,
  warnOfUnsafeSecurity,
} from './kafka-security-config.ts';
import { environment } from './read-config.ts';
import { eventsTopicRules, snapshotsTopicRules, topicConfig } from './topic-config.ts';

const DEFAULT_DATA_FOLDER = './.runlog';

/**
 * The variables that say where the log is and how its topics are created. Every process that opens the log reads them.
 */
export const logEnvironment = {
  RUNLOG_ENGINE: z.enum(['embedded', 'kafka'], { error: 'must be embedded or kafka' }).optional(),
  KAFKA_BROKERS: environment.list().optional(),
  ...kafkaSecurityEnvironment,
  RUNLOG_KAFKA_ENCODER: z.enum(KAFKA_ENCODERS, { error: 'must be own or kafkajs' }).default('own'),
  RUNLOG_DATA_DIR: environment.text().optional(),
  RUNLOG_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 characters of A-Z a-z 0-9 . _ -')
    .default(''),
  RUNLOG_PARTITIONS: environment.integer(1, 1_000).optional(),
  RUNLOG_REPLICATION_FACTOR: environment.integer(1, 15).optional(),
  RUNLOG_EVENT_RETENTION_HOURS: environment.integer(1, 1_000_000).default(720),
  RUNLOG_EVENTS_TOPIC_CONFIG: topicConfig(eventsTopicRules).default({}),
  RUNLOG_SNAPSHOTS_TOPIC_CONFIG: topicConfig(snapshotsTopicRules).default({}),
  RUNLOG_RUN_RETENTION_HOURS: environment.integer(1, 1_000_000).default(720),
  RUNLOG_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be one of trace, debug, info, warn, error, fatal, silent',
    })
    .default('info'),
};

const logVariables = z.object(logEnvironment);
export type LogVariables = z.infer<typeof logVariables>;

export interface LogConfig {
  readonly engine: 'embedded' | 'kafka';
  readonly brokers: readonly string[];
  readonly ssl: NonNullable<KafkaOptions['ssl']>;
  readonly sasl?: KafkaSasl;
  readonly encoder: KafkaEncoder;
  readonly dataFolder: string;
  readonly topics: TopicNames;
  /** Is used for creating topics; existing ones keep theirs. */
  readonly partitions: number;
  readonly replicationFactor: number | undefined;
  readonly eventRetentionHours: number;
  readonly runRetentionHours: number;
  readonly topicConfig: TopicConfig;
  readonly logLevel: string;
}

/**
 * Returns faults that only several variables together show. `single` means that one service runs alone, which needs a
 * real broker.
 */
export function logFaults(variables: LogVariables, use: { single: boolean }): string[] {
  const faults: string[] = [];
  const engine = engineOf(variables, use);
  if (use.single && engine === 'embedded') {
    faults.push(
      'RUNLOG_ENGINE=embedded works only in one process, with "runlog up": a single service needs KAFKA_BROKERS',
    );
  } else if (engine === 'kafka' && variables.KAFKA_BROKERS === undefined) {
    faults.push('KAFKA_BROKERS is required for the kafka engine, such as KAFKA_BROKERS=127.0.0.1:9092');
  }
  if (engine === 'kafka') faults.push(...addressFaults(variables), ...kafkaSecurityFaults(variables));
  const retentionMs = variables.RUNLOG_EVENTS_TOPIC_CONFIG['retention.ms'];
  const isShort = Number(retentionMs) < variables.RUNLOG_RUN_RETENTION_HOURS * 3_600_000;
  if (retentionMs !== undefined && retentionMs !== '-1' && isShort) {
    faults.push(
      `RUNLOG_EVENTS_TOPIC_CONFIG has retention.ms=${retentionMs}, which must not be below RUNLOG_RUN_RETENTION_HOURS: ` +
        'otherwise a run could not be rebuilt',
    );
  }
  if (variables.RUNLOG_EVENT_RETENTION_HOURS < variables.RUNLOG_RUN_RETENTION_HOURS) {
    faults.push(
      'RUNLOG_EVENT_RETENTION_HOURS must not be below RUNLOG_RUN_RETENTION_HOURS: otherwise a run could not be rebuilt',
    );
  }
  return faults;
}

function addressFaults({ KAFKA_BROKERS = [] }: LogVariables): string[] {
  return KAFKA_BROKERS.flatMap((address) => {
    const fault = addressFault(address);
    return fault === null ? [] : [`KAFKA_BROKERS has "${address}": ${fault}`];
  });
}

function engineOf(variables: LogVariables, use: { single: boolean }): 'embedded' | 'kafka' {
  if (variables.RUNLOG_ENGINE !== undefined) return variables.RUNLOG_ENGINE;
  return use.single || variables.KAFKA_BROKERS !== undefined ? 'kafka' : 'embedded';
}

/** Whether any variable says which log is meant. Otherwise it is the default folder, which may be left over. */
export function isLogNamed(variables: LogVariables): boolean {
  const { RUNLOG_ENGINE, KAFKA_BROKERS, RUNLOG_DATA_DIR } = variables;
  return [RUNLOG_ENGINE, KAFKA_BROKERS, RUNLOG_DATA_DIR].some((value) => value !== undefined);
}

export function logConfigOf(variables: LogVariables, use: { single: boolean }): LogConfig {
  const engine = engineOf(variables, use);
  const security = kafkaSecurityOf(variables);
  return {
    engine,
    brokers: variables.KAFKA_BROKERS ?? [],
    ssl: security.ssl ?? false,
    ...(security.sasl === undefined ? {} : { sasl: security.sasl }),
    encoder: variables.RUNLOG_KAFKA_ENCODER,
    dataFolder: variables.RUNLOG_DATA_DIR ?? DEFAULT_DATA_FOLDER,
    topics: topicNames(variables.RUNLOG_TOPIC_PREFIX),
    partitions: variables.RUNLOG_PARTITIONS ?? (engine === 'kafka' ? 12 : 4),
    replicationFactor: variables.RUNLOG_REPLICATION_FACTOR,
    eventRetentionHours: variables.RUNLOG_EVENT_RETENTION_HOURS,
    runRetentionHours: variables.RUNLOG_RUN_RETENTION_HOURS,
    topicConfig: {
      events: variables.RUNLOG_EVENTS_TOPIC_CONFIG,
      snapshots: variables.RUNLOG_SNAPSHOTS_TOPIC_CONFIG,
    },
    logLevel: variables.RUNLOG_LOG_LEVEL,
  };
}

/** Opens the configured engine. The other one is not even loaded. */
export async function openLog(
  config: LogConfig,
  use: { clientId: string; logger: Logger; readOnly?: boolean },
): Promise<TopicIo> {
  switch (config.engine) {
    case 'embedded': {
      const { openEmbedded } = await import('@runlog/topic-io/embedded/open-embedded');
      return openEmbedded({ folder: config.dataFolder, readOnly: use.readOnly ?? false, logger: use.logger });
    }
    case 'kafka': {
      const { openKafka } = await import('@runlog/topic-io/kafka/open-kafka');
      const { brokers, ssl, sasl, encoder } = config;
      warnOfUnsafeSecurity(config, use.logger);
      return openKafka({
        brokers,
        ssl,
        encoder,
        clientId: use.clientId,
        logger: use.logger,
        ...(sasl ? { sasl } : {}),
      });
    }
    default: {
      const unreachable: never = config.engine;
      throw new Error(`unknown engine ${String(unreachable)}`);
    }
  }
}
