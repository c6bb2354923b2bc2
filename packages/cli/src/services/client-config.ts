import { runKeyPart } from '@runlog/schema/run/run-key';
import { environment, readConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';
import { UsageError } from '../command.ts';

const url = (fallback: string) =>
  z
    .url({ protocol: /^https?$/, error: `must be an http or https URL, such as ${fallback}` })
    .transform((text) => text.replace(/\/+$/, ''))
    .default(fallback);

/** The variables of the commands that talk to the services. */
export const clientEnvironment = z.object({
  RUNLOG_INGEST_URL: url('http://127.0.0.1:4000'),
  RUNLOG_GATEWAY_URL: url('http://127.0.0.1:8080'),
  RUNLOG_KEY: environment.text().optional(),
});

export interface ClientConfig {
  readonly ingestUrl: string;
  readonly gatewayUrl: string;
  readonly key: string | undefined;
}

/** `ingestUrl`, `gatewayUrl`: from the command line, where they win over the environment. */
export function readClientConfig(
  env: Readonly<NodeJS.ProcessEnv>,
  given: { ingestUrl?: string | undefined; gatewayUrl?: string | undefined } = {},
): ClientConfig {
  const read = readConfig(clientEnvironment, {
    ...env,
    ...(given.ingestUrl === undefined ? {} : { RUNLOG_INGEST_URL: given.ingestUrl }),
    ...(given.gatewayUrl === undefined ? {} : { RUNLOG_GATEWAY_URL: given.gatewayUrl }),
  });
  return { ingestUrl: read.RUNLOG_INGEST_URL, gatewayUrl: read.RUNLOG_GATEWAY_URL, key: read.RUNLOG_KEY };
}

/** The same texts in every command's help. */
export const ingestVariables = [
  ['RUNLOG_INGEST_URL', 'where ingest is (http://127.0.0.1:4000)'],
  ['RUNLOG_KEY', 'key that may publish, where ingest asks for one'],
] as const;

export const gatewayVariables = [
  ['RUNLOG_GATEWAY_URL', 'where the gateway is (http://127.0.0.1:8080)'],
  ['RUNLOG_KEY', 'key that may view, where the gateway asks for one'],
] as const;

/** A part of a run key from the command line. */
export function runKeyPartOption(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const parsed = runKeyPart.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new UsageError(`--${option} ${parsed.error.issues[0]!.message} (is "${text}")`);
}
