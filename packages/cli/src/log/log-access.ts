import type { RunMeta } from '@runlog/records/meta-record';
import { readMeta } from '@runlog/run-feed/prepare-topics';
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

/** The variables of every command that reads the log itself, for its help. */
export const logAccessVariables: Command['environment'] = [
  ['KAFKA_BROKERS', 'comma-separated; also KAFKA_SSL, KAFKA_SASL_MECHANISM, _USERNAME, _PASSWORD'],
  ['RUNLOG_DATA_DIR', 'folder of the embedded log, used if KAFKA_BROKERS is not set (./.runlog)'],
  ['RUNLOG_TOPIC_PREFIX', 'prefix of every topic name'],
];

/** Reads where the log is, from the same variables as the services, and reports all faults at once. */
export function readLogConfig(env: Readonly<NodeJS.ProcessEnv>): LogConfig {
  const variables = readConfig(z.object(logEnvironment), env);
  const faults = logFaults(variables, { single: false });
  if (faults.length > 0) throw new ConfigError(faults);
  return logConfigOf(variables, { single: false });
}

/**
 * Opens the configured log for a command, beside running services, and turns the log's errors into a message and an
 * exit code: 3 if it is unreachable, 1 for any other refusal.
 */
export async function withLog(
  env: Readonly<NodeJS.ProcessEnv>,
  use: { command: string; readOnly: boolean },
  work: (log: { io: TopicIo; config: LogConfig }) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readLogConfig(env);
  try {
    const logger = createLogger({ service: use.command, level: 'warn', destination: 'stderr' });
    await using io = await openLog(config, {
      clientId: `runlog-${use.command}`,
      logger,
      readOnly: use.readOnly,
    });
    return await work({ io, config });
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    const code = error.code === 'unavailable' ? exitCodes.unreachable : exitCodes.failed;
    throw new CommandError(error.message, code, { cause: error });
  }
}

/** Reads the record that the services agreed on. Rejects if this log does not hold runlog's topics yet. */
export async function requireMeta(io: TopicIo, config: LogConfig): Promise<RunMeta> {
  const meta =
    (await io.describeTopic(config.topics.meta)) === null ? null : await readMeta(io, config.topics);
  if (meta !== null) return meta;
  const where = config.engine === 'kafka' ? config.brokers.join(',') : config.dataFolder;
  throw new CommandError(
    `${where} does not hold runlog's topics yet (there is no ${config.topics.meta}); is RUNLOG_TOPIC_PREFIX right?`,
    exitCodes.failed,
  );
}
