import { randomBytes } from 'node:crypto';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { type Clock, systemClock } from './clock.ts';
import { type Running, runProcess } from './lifecycle.ts';
import { type LogConfig, openLog } from './log-config.ts';
import { createLogger, type PinoLogger } from './logger.ts';
import { warnOfUnknownVariables } from './variable-names.ts';

/** The arguments that every service is started with. */
export interface ServiceStart<Config> {
  readonly config: Config;
  /** Open; stays the caller's, who closes it after the service. */
  readonly io: TopicIo;
  readonly logger: PinoLogger;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Names a new epoch where the topics have none. */
  readonly newEpoch: () => string;
  /** Called with a fault that shows after the start and that waiting cannot mend. */
  readonly fail: (error: unknown) => void;
}

/** Real time and randomness, for a process. */
export const processResources = {
  clock: systemClock,
  random: Math.random,
  newEpoch: () => randomBytes(8).toString('hex'),
} as const;

/** Runs one service as a process: configuration, logger, log, then the service over them (`runProcess`). */
export async function runService<Config extends { readonly log: LogConfig }>(service: {
  name: string;
  readConfig: (env: NodeJS.ProcessEnv) => Config;
  start: (options: ServiceStart<Config>) => Promise<Running>;
}): Promise<void> {
  const { name } = service;
  let logger = createLogger({ service: name, level: 'info' });
  await runProcess(
    () => logger,
    async ({ fail }) => {
      warnOfUnknownVariables(process.env, logger);
      const config = service.readConfig(process.env);
      logger = createLogger({ service: name, level: config.log.logLevel });
      const io = await openLog(config.log, { clientId: `runlog-${name}`, logger });
      return startOver(io, () => service.start({ config, io, logger, fail, ...processResources }));
    },
  );
}

/** Starts a service over an open log, which is closed after the service, or at once when the start fails. */
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
