import { type AnsweredHosts, answeredHostsOf } from '@runlog/service-kit/http-server-hosts';
import { keyFileFaults } from '@runlog/service-kit/key-file';
import { type LogConfig, logConfigOf, logEnvironment, logFaults } from '@runlog/service-kit/log-config';
import { isLoopback } from '@runlog/service-kit/loopback';
import { originFaults } from '@runlog/service-kit/origins';
import { environment, readCheckedConfig } from '@runlog/service-kit/read-config';
import { COMPRESSIONS, type Compression, compressionFault } from '@runlog/topic-io/compression';
import { z } from 'zod';

/** Ingest's own variables. `runlog up` reads them together with those of the other services. */
export const ingestEnvironment = {
  RUNLOG_INGEST_HOST: environment.host().default('127.0.0.1'),
  RUNLOG_INGEST_PORT: environment.port().default(4000),
  RUNLOG_ALLOWED_ORIGINS: environment.list().optional(),
  RUNLOG_OPEN: environment.flag().default(false),
  RUNLOG_KEYS_FILE: environment.text().optional(),
  RUNLOG_WORKERS: environment.integer(1, 64).default(1),
  RUNLOG_COMPRESSION: z.enum(COMPRESSIONS, { error: `must be ${COMPRESSIONS.join(', ')}` }).default('none'),
};

const ingestVariables = z.object(ingestEnvironment);
export type IngestVariables = z.infer<typeof ingestVariables>;

export interface IngestConfig {
  readonly host: string;
  /** Port 0 means any free port. */
  readonly port: number;
  readonly answeredHosts: AnsweredHosts;
  /** If it is not set, ingest is open. */
  readonly keysFile?: string | undefined;
  /** The number of processes that share the port. */
  readonly workers: number;
  /** Applies to everything that ingest writes to Kafka. The embedded log does not compress. */
  readonly compression: Compression;
  readonly log: LogConfig;
}

/** Returns the faults that only several variables together show. */
export function ingestFaults(variables: IngestVariables): string[] {
  const faults: string[] = [];
  const keysFile = variables.RUNLOG_KEYS_FILE;
  faults.push(...keyFileFaults(keysFile));
  if (keysFile === undefined && !isLoopback(variables.RUNLOG_INGEST_HOST) && !variables.RUNLOG_OPEN) {
    faults.push(
      `RUNLOG_INGEST_HOST=${variables.RUNLOG_INGEST_HOST} lets other machines publish without a key: ` +
        'set RUNLOG_KEYS_FILE, or RUNLOG_OPEN=true if that is meant',
    );
  }
  faults.push(...originFaults('RUNLOG_ALLOWED_ORIGINS', variables.RUNLOG_ALLOWED_ORIGINS));
  const uncompressible = compressionFault(variables.RUNLOG_COMPRESSION);
  if (uncompressible !== null) {
    faults.push(`RUNLOG_COMPRESSION=${variables.RUNLOG_COMPRESSION} cannot be used: ${uncompressible}`);
  }
  return faults;
}

export function ingestConfigOf(variables: IngestVariables, log: LogConfig): IngestConfig {
  return {
    host: variables.RUNLOG_INGEST_HOST,
    port: variables.RUNLOG_INGEST_PORT,
    answeredHosts: answeredHostsOf({
      boundTo: variables.RUNLOG_INGEST_HOST,
      keysFile: variables.RUNLOG_KEYS_FILE,
      isOpenOnPurpose: variables.RUNLOG_OPEN,
      allowedOrigins: variables.RUNLOG_ALLOWED_ORIGINS ?? [],
    }),
    keysFile: variables.RUNLOG_KEYS_FILE,
    workers: variables.RUNLOG_WORKERS,
    compression: variables.RUNLOG_COMPRESSION,
    log,
  };
}

/** Reads the configuration of the service when it runs alone. Throws `ConfigError` with every fault at once. */
export function readIngestConfig(env: Readonly<Record<string, string | undefined>>): IngestConfig {
  const schema = z.object({ ...logEnvironment, ...ingestEnvironment });
  const variables = readCheckedConfig(schema, env, (read) => [
    ...logFaults(read, { single: true }),
    ...ingestFaults(read),
  ]);
  return ingestConfigOf(variables, logConfigOf(variables, { single: true }));
}
