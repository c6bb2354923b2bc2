import { type AggregatorConfig, aggregatorConfigOf, aggregatorEnvironment } from '@runlog/aggregator/config';
import {
  type GatewayConfig,
  gatewayConfigOf,
  gatewayEnvironment,
  gatewayFaults,
} from '@runlog/gateway/config';
import { type IngestConfig, ingestConfigOf, ingestEnvironment, ingestFaults } from '@runlog/ingest/config';
import { type LogConfig, logConfigOf, logEnvironment, logFaults } from '@runlog/service-kit/log-config';
import { readCheckedConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';

export const upEnvironment = z.object({
  ...logEnvironment,
  ...ingestEnvironment,
  ...aggregatorEnvironment,
  ...gatewayEnvironment,
});

export type UpVariables = z.infer<typeof upEnvironment>;

export interface UpConfig {
  readonly log: LogConfig;
  readonly ingest: IngestConfig;
  readonly aggregator: AggregatorConfig;
  readonly gateway: GatewayConfig;
}

/** Reads the variables of all three services at once. Throws `ConfigError` with every fault. */
export function readUpConfig(env: Readonly<NodeJS.ProcessEnv>): UpConfig {
  const variables = readCheckedConfig(upEnvironment, env, upFaults);
  const log = logConfigOf(variables, { single: false });
  return {
    log,
    ingest: ingestConfigOf(variables, log),
    aggregator: aggregatorConfigOf(variables, log),
    gateway: gatewayConfigOf(variables, log),
  };
}

/** Returns the faults that only several variables together show. */
export function upFaults(variables: UpVariables): string[] {
  return [
    ...logFaults(variables, { single: false }),
    ...ingestFaults(variables),
    ...gatewayFaults(variables),
    ...sharedPorts(variables),
    ...workersFaults(variables),
  ];
}

function workersFaults({ RUNLOG_WORKERS: workers }: UpVariables): string[] {
  if (workers === 1) return [];
  return [
    `RUNLOG_WORKERS=${workers} is for ingest as a service of its own ("npm run ingest"): "runlog up" is one process`,
  ];
}

function sharedPorts(variables: UpVariables): string[] {
  const ports = ['RUNLOG_INGEST_PORT', 'RUNLOG_GATEWAY_PORT', 'RUNLOG_AGGREGATOR_PORT'] as const;
  return ports.flatMap((name, at) =>
    ports
      .slice(at + 1)
      .filter((other) => variables[name] !== 0 && variables[other] === variables[name])
      .map(
        (other) => `${name} and ${other} are both ${variables[name]}: each service needs a port of its own`,
      ),
  );
}
