import { type AnsweredHosts, answeredHostsOf } from '@runlog/service-kit/http-server-hosts';
import { keyFileFaults } from '@runlog/service-kit/key-file';
import { type LogConfig, logConfigOf, logEnvironment, logFaults } from '@runlog/service-kit/log-config';
import { isLoopback } from '@runlog/service-kit/loopback';
import { originFaults } from '@runlog/service-kit/origins';
import { environment, readCheckedConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';

/** The gateway's own variables. `runlog up` reads them together with those of the other services. */
export const gatewayEnvironment = {
  RUNLOG_GATEWAY_HOST: environment.host().default('127.0.0.1'),
  RUNLOG_GATEWAY_PORT: environment.port().default(8080),
  RUNLOG_ALLOWED_ORIGINS: environment.list().optional(),
  RUNLOG_EMBED_ORIGINS: environment.list().optional(),
  RUNLOG_CONNECTIONS_MAX: environment.integer(1, 1_000_000).default(10_000),
  // A process ends within 25 s, all of its services together, and some seconds of the gateway's own follow the window.
  RUNLOG_DRAIN_MS: environment.integer(0, 10_000).default(3_000),
  RUNLOG_OPEN: environment.flag().default(false),
  RUNLOG_KEYS_FILE: environment.text().optional(),
  RUNLOG_INGEST_URL: environment.url('https://runs.example/ingest').optional(),
};

const gatewayVariables = z.object(gatewayEnvironment);
export type GatewayVariables = z.infer<typeof gatewayVariables>;

export interface GatewayConfig {
  readonly host: string;
  /** Port 0 means any free port. */
  readonly port: number;
  /** Origins, besides the gateway's own, whose pages may read answers and open streams; `*` means any. */
  readonly allowedOrigins: readonly string[];
  readonly answeredHosts: AnsweredHosts;
  /** Origins whose pages may show the gateway's page in a frame; `*` means any. */
  readonly embedOrigins: readonly string[];
  /** The most streams, WebSocket and server-sent events together. */
  readonly connectionsMax: number;
  /** The longest window over which streams are closed at the end. */
  readonly drainMs: number;
  /** If it is not set, the gateway is open. */
  readonly keysFile?: string | undefined;
  /** Where viewers can publish. If it is not set, only a process that runs ingest too knows it. */
  readonly ingestUrl?: string | undefined;
  readonly log: LogConfig;
}

/** Returns the faults that only several variables together show. */
export function gatewayFaults(variables: GatewayVariables): string[] {
  const faults: string[] = [];
  const keysFile = variables.RUNLOG_KEYS_FILE;
  faults.push(...keyFileFaults(keysFile));
  if (keysFile === undefined && !isLoopback(variables.RUNLOG_GATEWAY_HOST) && !variables.RUNLOG_OPEN) {
    faults.push(
      `RUNLOG_GATEWAY_HOST=${variables.RUNLOG_GATEWAY_HOST} shows every run to other machines without a key: ` +
        'set RUNLOG_KEYS_FILE, or RUNLOG_OPEN=true if that is meant',
    );
  }
  faults.push(...originFaults('RUNLOG_ALLOWED_ORIGINS', variables.RUNLOG_ALLOWED_ORIGINS));
  faults.push(...originFaults('RUNLOG_EMBED_ORIGINS', variables.RUNLOG_EMBED_ORIGINS));
  return faults;
}

export function gatewayConfigOf(variables: GatewayVariables, log: LogConfig): GatewayConfig {
  const allowedOrigins = variables.RUNLOG_ALLOWED_ORIGINS ?? [];
  return {
    host: variables.RUNLOG_GATEWAY_HOST,
    port: variables.RUNLOG_GATEWAY_PORT,
    allowedOrigins,
    answeredHosts: answeredHostsOf({
      boundTo: variables.RUNLOG_GATEWAY_HOST,
      keysFile: variables.RUNLOG_KEYS_FILE,
      isOpenOnPurpose: variables.RUNLOG_OPEN,
      allowedOrigins,
    }),
    embedOrigins: variables.RUNLOG_EMBED_ORIGINS ?? [],
    connectionsMax: variables.RUNLOG_CONNECTIONS_MAX,
    drainMs: variables.RUNLOG_DRAIN_MS,
    keysFile: variables.RUNLOG_KEYS_FILE,
    ingestUrl: variables.RUNLOG_INGEST_URL,
    log,
  };
}

/** Reads the configuration of the service when it runs alone. Throws `ConfigError` with every fault at once. */
export function readGatewayConfig(env: Readonly<Record<string, string | undefined>>): GatewayConfig {
  const schema = z.object({ ...logEnvironment, ...gatewayEnvironment });
  const variables = readCheckedConfig(schema, env, (read) => [
    ...logFaults(read, { single: true }),
    ...gatewayFaults(read),
  ]);
  return gatewayConfigOf(variables, logConfigOf(variables, { single: true }));
}
