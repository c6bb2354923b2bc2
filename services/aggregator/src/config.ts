import { type LogConfig, logConfigOf, logEnvironment, logFaults } from '@runlog/service-kit/log-config';
import { environment, readCheckedConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';

const MIB = 1024 * 1024;

/** The aggregator's variables. `runlog up` reads them together with those of the other services. */
export const aggregatorEnvironment = {
  RUNLOG_AGGREGATOR_HOST: environment.host().default('127.0.0.1'),
  RUNLOG_AGGREGATOR_PORT: environment.port().default(4001),
  RUNLOG_SNAPSHOT_INTERVAL_MS: environment.integer(10, 3_600_000).default(2_000),
  RUNLOG_SNAPSHOT_BYTES_PER_SECOND: environment.integer(MIB, 1_000 * MIB).default(16 * MIB),
};

const aggregatorVariables = z.object(aggregatorEnvironment);

export interface AggregatorConfig {
  readonly host: string;
  readonly port: number;
  readonly snapshotIntervalMs: number;
  readonly snapshotBytesPerSecond: number;
  readonly log: LogConfig;
}

export function aggregatorConfigOf(
  variables: z.infer<typeof aggregatorVariables>,
  log: LogConfig,
): AggregatorConfig {
  return {
    host: variables.RUNLOG_AGGREGATOR_HOST,
    port: variables.RUNLOG_AGGREGATOR_PORT,
    snapshotIntervalMs: variables.RUNLOG_SNAPSHOT_INTERVAL_MS,
    snapshotBytesPerSecond: variables.RUNLOG_SNAPSHOT_BYTES_PER_SECOND,
    log,
  };
}

/** Reads the configuration of the aggregator when it is a process of its own. Throws ConfigError with every fault. */
export function readAggregatorConfig(env: Readonly<Record<string, string | undefined>>): AggregatorConfig {
  const schema = z.object({ ...logEnvironment, ...aggregatorEnvironment });
  const variables = readCheckedConfig(schema, env, (read) => logFaults(read, { single: true }));
  return aggregatorConfigOf(variables, logConfigOf(variables, { single: true }));
}
