import type { RunMeta } from '@runlog/records/meta-record';
import { missingText, needsOf, readMeta } from '@runlog/run-feed/prepare-topics';
import type { Role } from '@runlog/schema/log/rights';
import { figuresTopicOf } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import { type LogConfig, openLog } from '@runlog/service-kit/log-config';
import { createLogger } from '@runlog/service-kit/logger';
import type { Logger } from '@runlog/topic-io/logger';
import { type TopicIo, TopicIoError } from '@runlog/topic-io/topic-io';
import { type Command, CommandError, type ExitCode, exitCodes } from '../command.ts';
import { chooseLog } from './chosen-log.ts';

/** The variables of every command that reads the log itself, for its help. */
export const logAccessVariables: Command['environment'] = [
  ['KAFKA_BROKERS', 'comma-separated; also KAFKA_SSL…, KAFKA_SASL_… (docs/operations.md)'],
  ['RUNLOG_DATA_DIR', 'folder of the embedded log, used if KAFKA_BROKERS is not set (./.runlog)'],
  ['RUNLOG_TOPIC_PREFIX', 'prefix of every topic name'],
];

/** Is part of the help of commands that change the log. */
export const namedLogHelp =
  'The command first writes to stderr which log it acts on. If none of KAFKA_BROKERS, RUNLOG_DATA_DIR and RUNLOG_ENGINE is set, it acts on ./.runlog only while "runlog up" runs on it, because that folder may be left over from a trial.';

/**
 * Opens the configured log for a command, beside running services, and turns the log's errors into a message and an
 * exit code: 3 if it is unreachable, 1 for any other refusal.
 */
export async function withLog(
  env: Readonly<NodeJS.ProcessEnv>,
  use: LogUse,
  work: LogWork,
): Promise<ExitCode> {
  const { config } = await chooseLog(env);
  return await withChosenLog(config, use, work);
}

interface LogUse {
  readonly command: string;
  readonly readOnly: boolean;
}

type LogWork = (open: { io: TopicIo; config: LogConfig; logger: Logger }) => Promise<ExitCode>;

/** Opens a log that `chooseLog` gave, for a command that has something to do before. */
export async function withChosenLog(config: LogConfig, use: LogUse, work: LogWork): Promise<ExitCode> {
  try {
    const logger = createLogger({ service: use.command, level: 'warn', destination: 'stderr' });
    await using io = await openLog(config, {
      clientId: `runlog-${use.command}`,
      logger,
      readOnly: use.readOnly,
    });
    return await work({ io, config, logger });
  } catch (error) {
    if (!(error instanceof TopicIoError)) throw error;
    const code = error.code === 'unavailable' ? exitCodes.unreachable : exitCodes.failed;
    throw new CommandError(error.message, code, { cause: error });
  }
}

/**
 * Reads the record that the services agreed on. Rejects if this log does not hold runlog's topics yet, or if this process may
 * not do with them what the command does.
 */
export async function requireMeta(io: TopicIo, config: LogConfig, role: Role): Promise<RunMeta> {
  const meta =
    (await io.describeTopic(config.topics.meta)) === null ? null : await readMeta(io, config.topics);
  if (meta !== null) {
    await requireRights(io, { config, meta, role });
    return meta;
  }
  const where = config.engine === 'kafka' ? config.brokers.join(',') : config.dataFolder;
  throw new CommandError(
    `${where} does not hold runlog's topics yet (there is no ${config.topics.meta}); is RUNLOG_TOPIC_PREFIX right?`,
    exitCodes.failed,
  );
}

/**
 * Asks at once whether everything is allowed and there, so that a command neither does half of its work nor waits for ever. A
 * rebuild needs nothing that is stored.
 */
async function requireRights(
  io: TopicIo,
  of: { config: LogConfig; meta: RunMeta; role: Role },
): Promise<void> {
  const { topics } = of.config;
  const { snapshots } = of.meta;
  for (const name of [topics.meta, topics.events, topics.rejected, snapshots, figuresTopicOf(snapshots)]) {
    const needs = needsOf(of.role, { topics, name });
    const isMissing = needs.length > 0 && (await io.describeTopic(name, needs)) === null;
    const isStored = name === snapshots || name === figuresTopicOf(snapshots);
    if (isMissing && isStored && of.role !== 'rebuild' && of.meta.fold >= FIGURES_SINCE_FOLD) {
      throw new CommandError(missingText(topics, name), exitCodes.failed);
    }
  }
}
