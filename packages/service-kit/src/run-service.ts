import { randomBytes } from 'node:crypto';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { type Clock, systemClock } from './clock.ts';
import { type Running, runProcess } from './lifecycle.ts';
import { type LogConfig, openLog } from './log-config.ts';
import { createLogger, type PinoLogger } from './logger.ts';
import { warnOfUnreadVariables } from './misspelt-variables.ts';

/** The arguments that every service is started with. */
export interface ServiceStart<Config> {
  readonly config: Config;
  /** The open log. It belongs to the caller, who closes it after the service. */
  readonly io: TopicIo;
  readonly logger: PinoLogger;
  readonly clock: Clock;
  /** Returns a number from 0 to below 1. */
  readonly random: () => number;
  /** Names a new epoch if the topics have none. */
  readonly newEpoch: () => string;
  /** Is called with a fault that appears after the start and that waiting cannot cure. */
  readonly fail: (error: unknown) => void;
}

/** One of several processes of a service. */
export interface ServiceWorker {
  /** Its lines of the log carry it. */
  readonly number: number;
  /** Is told once the worker can do its work. */
  readonly ready: (addresses: Running['addresses']) => void;
}

/** A process that begins several of a service and speaks for them: one ready line, one exit code. It opens no log itself. */
export interface ServiceParent<Config> {
  readonly isWanted: (config: Config) => boolean;
  readonly start: (options: Pick<ServiceStart<Config>, 'config' | 'logger' | 'fail'>) => Promise<Running>;
}

/** Real time and randomness, for a process. */
export const processResources = {
  clock: systemClock,
  random: Math.random,
  newEpoch: () => randomBytes(8).toString('hex'),
} as const;

/**
 * Runs one service as a process (`runProcess`): it reads the configuration, makes the logger, opens the log and starts
 * the service over them.
 */
export async function runService<Config extends { readonly log: LogConfig }>(service: {
  name: string;
  readConfig: (env: NodeJS.ProcessEnv) => Config;
  start: (options: ServiceStart<Config>) => Promise<Running>;
  /** Is set in a process that serves under another one, which speaks for all. */
  worker?: ServiceWorker | undefined;
  /** What this process does instead, if it is that other one. */
  parent?: ServiceParent<Config>;
}): Promise<void> {
  const { name, worker, parent } = service;
  const base = { service: name, worker: worker?.number };
  let logger = createLogger({ ...base, level: 'info' });
  await runProcess(
    () => logger,
    async ({ fail }) => {
      if (worker === undefined) warnOfUnreadVariables(process.env, logger);
      const config = service.readConfig(process.env);
      logger = createLogger({ ...base, level: config.log.logLevel });
      if (worker === undefined && parent?.isWanted(config) === true) {
        return parent.start({ config, logger, fail });
      }
      const io = await openLog(config.log, { clientId: `runlog-${name}`, logger });
      return startOver(io, () => service.start({ config, io, logger, fail, ...processResources }));
    },
    worker === undefined ? {} : { onReady: worker.ready },
  );
}

/** Starts a service over an open log. The log is closed after the service, or at once if the start fails. */
export async function startOver(io: AsyncDisposable, start: () => Promise<Running>): Promise<Running> {
  const running = await start().catch(async (error: unknown) => {
    await io[Symbol.asyncDispose]();
    throw error;
  });
  return {
    addresses: running.addresses,
    ready: running.ready,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await io[Symbol.asyncDispose]();
    },
  };
}
