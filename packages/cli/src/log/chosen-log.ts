import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  isLogNamed,
  type LogConfig,
  logConfigOf,
  logEnvironment,
  logFaults,
} from '@runlog/service-kit/log-config';
import { printable } from '@runlog/service-kit/printable';
import { readCheckedConfig } from '@runlog/service-kit/read-config';
import { z } from 'zod';

export interface ChosenLog {
  readonly config: LogConfig;
  /** Is false if no variable says which log is meant; then it is the default folder. */
  readonly named: boolean;
}

/**
 * Reads where the log is, from the same variables as the services, reports all faults at once, and writes to stderr
 * which log it is. A command learns it in no other way, so it cannot act on a log before it has named it.
 */
export async function chooseLog(env: Readonly<NodeJS.ProcessEnv>): Promise<ChosenLog> {
  const variables = readCheckedConfig(z.object(logEnvironment), env, (read) =>
    logFaults(read, { single: false }),
  );
  const config = logConfigOf(variables, { single: false });
  await sayWhichLog(config);
  return { config, named: isLogNamed(variables) };
}

/** Writes to stderr, because stdout holds only results. */
export async function sayWhichLog(config: LogConfig): Promise<void> {
  const place =
    config.engine === 'kafka'
      ? `brokers ${config.brokers.join(',')}`
      : `folder ${await realFolder(config.dataFolder)}`;
  process.stderr.write(`log: ${printable(`${place}, topic ${config.topics.events}`)}\n`);
}

/** Returns the absolute path, without symbolic links if the folder exists. */
async function realFolder(folder: string): Promise<string> {
  return await realpath(folder).catch(() => resolve(folder));
}
