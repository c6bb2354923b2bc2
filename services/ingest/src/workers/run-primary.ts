import { runProcess } from '@runlog/service-kit/lifecycle';
import { createLogger } from '@runlog/service-kit/logger';
import { warnOfUnreadVariables } from '@runlog/service-kit/misspelt-variables';
import type { IngestConfig } from '../config.ts';
import { startWorkers } from './start-workers.ts';

/** Whether this process serves by itself or begins others. Whether the number is usable is said by the configuration. */
export function wantsWorkers(env: Readonly<Record<string, string | undefined>>): boolean {
  return !['', '1', undefined].includes(env.RUNLOG_WORKERS);
}

/** Runs the process that begins the workers and speaks for them: one ready line, one exit code. */
export async function runPrimary(service: {
  name: string;
  readConfig: (env: NodeJS.ProcessEnv) => IngestConfig;
}): Promise<void> {
  const { name } = service;
  let logger = createLogger({ service: name, level: 'info' });
  await runProcess(
    () => logger,
    async ({ fail }) => {
      warnOfUnreadVariables(process.env, logger);
      const { workers: count, host, port, log } = service.readConfig(process.env);
      logger = createLogger({ service: name, level: log.logLevel });
      return startWorkers({ count, host, port, logger, fail });
    },
  );
}
