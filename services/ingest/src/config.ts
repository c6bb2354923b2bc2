import { isIPv4 } from 'node:net';
import { type LogConfig, logConfigOf, logEnvironment, logFaults } from '@runlog/service-kit/log-config';
import { ConfigError, environment, readConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';

/** Ingest's own variables; `runlog up` reads them beside those of the other services. */
export const ingestEnvironment = {
  RUNLOG_INGEST_HOST: environment.host().default('127.0.0.1'),
  RUNLOG_INGEST_PORT: environment.port().default(4000),
  RUNLOG_OPEN: environment.flag().default(false),
  RUNLOG_KEYS_FILE: environment.text().optional(),
};

const ingestVariables = z.object(ingestEnvironment);
export type IngestVariables = z.infer<typeof ingestVariables>;

export interface IngestConfig {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly log: LogConfig;
}

/** Faults that only several variables together show. */
export function ingestFaults(variables: IngestVariables): string[] {
  const faults: string[] = [];
  if (variables.RUNLOG_KEYS_FILE !== undefined) {
    faults.push(
      'RUNLOG_KEYS_FILE is not supported yet: ingest would take events from anyone, so it does not start with it',
    );
  }
  if (!isLoopback(variables.RUNLOG_INGEST_HOST) && !variables.RUNLOG_OPEN) {
    faults.push(
      `RUNLOG_INGEST_HOST=${variables.RUNLOG_INGEST_HOST} lets other machines publish without a key: ` +
        'set RUNLOG_OPEN=true if that is meant',
    );
  }
  return faults;
}

/** For the service alone. Throws `ConfigError` with every fault at once. */
export function readIngestConfig(env: Readonly<Record<string, string | undefined>>): IngestConfig {
  const schema = z.object({ ...logEnvironment, ...ingestEnvironment });
  const faultsOf = (variables: z.infer<typeof schema>) => [
    ...logFaults(variables, { single: true }),
    ...ingestFaults(variables),
  ];
  let variables: z.infer<typeof schema>;
  try {
    variables = readConfig(schema, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // What the readable variables say together is told as well, unless it names one that could not be read.
    const unread = error.faults.map((fault) => fault.split(' ')[0] ?? '');
    const readable = Object.fromEntries(Object.entries(env).filter(([name]) => !unread.includes(name)));
    const together = faultsOf(readConfig(schema, readable)).filter(
      (fault) => !unread.some((name) => fault.includes(name)),
    );
    throw new ConfigError([...error.faults, ...together]);
  }
  const faults = faultsOf(variables);
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    host: variables.RUNLOG_INGEST_HOST,
    port: variables.RUNLOG_INGEST_PORT,
    log: logConfigOf(variables, { single: true }),
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
