import { runKeyPart } from '@runlog/schema/run/run-key-part';
import { environment, readCheckedConfig } from '@runlog/service-kit/read-config';
import { followedSecret, secretFileFault } from '@runlog/service-kit/secret-file';
import { z } from 'zod';
import { UsageError } from '../command.ts';

const url = (fallback: string) => environment.url(fallback).default(fallback);

/** The variables that the commands which talk to the services read. */
export const clientEnvironment = z.object({
  RUNLOG_INGEST_URL: url('http://127.0.0.1:4000'),
  RUNLOG_GATEWAY_URL: url('http://127.0.0.1:8080'),
  RUNLOG_KEY: environment.text().optional(),
  RUNLOG_KEY_FILE: environment.text().optional(),
  RUNLOG_VIEW_KEY: environment.text().optional(),
  RUNLOG_VIEW_KEY_FILE: environment.text().optional(),
});

export interface ClientConfig {
  readonly ingestUrl: string;
  readonly gatewayUrl: string;
  readonly key: string | undefined;
  /** The key as its file has it now, for commands that run long. */
  readonly currentKey: () => string | undefined;
  /** The key that may view, for commands that also publish. It is `key` if none was given. */
  readonly viewKey: string | undefined;
}

/** Reads the configuration. `ingestUrl` and `gatewayUrl` come from the command line and override the environment. */
export function readClientConfig(
  env: Readonly<NodeJS.ProcessEnv>,
  given: { ingestUrl?: string | undefined; gatewayUrl?: string | undefined } = {},
): ClientConfig {
  const variables = {
    ...env,
    ...(given.ingestUrl === undefined ? {} : { RUNLOG_INGEST_URL: given.ingestUrl }),
    ...(given.gatewayUrl === undefined ? {} : { RUNLOG_GATEWAY_URL: given.gatewayUrl }),
  };
  const read = readCheckedConfig(clientEnvironment, variables, (together) => {
    const faults = ['RUNLOG_KEY', 'RUNLOG_VIEW_KEY'].map((name) => secretFileFault(name, together));
    return faults.filter((fault) => fault !== null);
  });
  const currentKey = followedSecret(read.RUNLOG_KEY, read.RUNLOG_KEY_FILE);
  const { RUNLOG_INGEST_URL: ingestUrl, RUNLOG_GATEWAY_URL: gatewayUrl } = read;
  const key = currentKey();
  const viewKey = followedSecret(read.RUNLOG_VIEW_KEY, read.RUNLOG_VIEW_KEY_FILE)() ?? key;
  return { ingestUrl, gatewayUrl, key, currentKey, viewKey };
}

/** Every command's help uses these texts. */
export const ingestVariables = [
  ['RUNLOG_INGEST_URL', 'address of ingest (http://127.0.0.1:4000)'],
  ['RUNLOG_KEY', 'key that may publish, where ingest asks for one; or RUNLOG_KEY_FILE'],
] as const;

export const gatewayVariables = [
  ['RUNLOG_GATEWAY_URL', 'address of the gateway (http://127.0.0.1:8080)'],
  ['RUNLOG_KEY', 'key that may view, where the gateway asks for one; or RUNLOG_KEY_FILE'],
] as const;

/** Checks a part of a run key that was given on the command line. */
export function runKeyPartOption(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const parsed = runKeyPart.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new UsageError(`--${option} ${parsed.error.issues[0]!.message} (is "${text}")`);
}
