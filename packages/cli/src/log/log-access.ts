import { readMeta } from '@runlog/run-feed/prepare-topics';
import type { RunMeta } from '@runlog/schema/log/log-records';
import {
  type LogConfig,
  logConfigOf,
  logEnvironment,
  logFaults,
  openLog,
} from '@runlog/service-kit/log-config';
import { createLogger } from '@runlog/service-kit/logger';
import { ConfigError, readConfig } from '@runlog/service-kit/read-config';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { z } from 'zod';
import { type Command, CommandError, type ExitCode, exitCodes } from '../command.ts';

/** Variables of every command that reads the log itself, for their help. */
export const logAccessVariables: Command['environment'] = [
  ['KAFKA_BROKERS', 'comma-separated; also KAFKA_SSL, KAFKA_SASL_MECHANISM, _USERNAME, _PASSWORD'],
  ['RUNLOG_DATA_DIR', 'the embedded log, where no broker is named (./.runlog)'],
  ['RUNLOG_TOPIC_PREFIX', 'before every topic name'],
];

/** Where the log is, as the services read it: all faults at once. */
export function readLogConfig(env: Readonly<NodeJS.ProcessEnv>): LogConfig {
  const variables = readConfig(z.object(logEnvironment), env);
  const faults = logFaults(variables, { single: false });
  if (faults.length > 0) throw new ConfigError(faults);
  return logConfigOf(variables, { single: false });
}

/**
 * Opens the configured log for a command, beside running services, and turns what the log says into a message and an
 * exit code: unreachable 3, anything else that it refuses 1.
 */
export async function withLog(
  env: Readonly<NodeJS.ProcessEnv>,
  use: { command: string; readOnly: boolean },
  work: (log: { io: TopicIo; config: LogConfig }) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readLogConfig(env);
  try {
    const log = createLogger({ service: use.command, level: 'warn', destination: 'stderr' });
    await using io = await openLog(config, {
      clientId: `runlog-${use.command}`,
      log,
      readOnly: use.readOnly,
    });
    return await work({ io, config });
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    const code = error.code === 'unavailable' ? exitCodes.unreachable : exitCodes.failed;
    throw new CommandError(error.message, code, { cause: error });
  }
}

/** Reads what the services agreed on. Rejects where there is no runlog in this log yet. */
export async function requireMeta(io: TopicIo, config: LogConfig): Promise<RunMeta> {
  const meta =
    (await io.describeTopic(config.topics.meta)) === null ? null : await readMeta(io, config.topics);
  if (meta !== null) return meta;
  const where = config.engine === 'kafka' ? config.brokers.join(',') : config.dataFolder;
  throw new CommandError(
    `there is no runlog in ${where} yet (no ${config.topics.meta}); is RUNLOG_TOPIC_PREFIX right?`,
    exitCodes.failed,
  );
}
