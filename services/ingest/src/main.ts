import { randomBytes } from 'node:crypto';
import { runProcess } from '@runlog/service-kit/lifecycle';
import { openLog } from '@runlog/service-kit/log-config';
import { createLogger } from '@runlog/service-kit/logger';
import { readIngestConfig } from './config.ts';
import { startIngest } from './start-ingest.ts';

let log = createLogger({ service: 'ingest', level: 'info' });

await runProcess(
  () => log,
  async ({ fail }) => {
    const config = readIngestConfig(process.env);
    log = createLogger({ service: 'ingest', level: config.log.logLevel });
    const io = await openLog(config.log, { clientId: 'runlog-ingest', log });
    const newEpoch = () => randomBytes(8).toString('hex');
    const starting = startIngest({ config, io, log, now: Date.now, random: Math.random, newEpoch, fail });
    const ingest = await starting.catch(async (error: unknown) => {
      await io[Symbol.asyncDispose]();
      throw error;
    });
    return {
      addresses: ingest.addresses,
      ready: ingest.ready,
      async [Symbol.asyncDispose]() {
        await ingest[Symbol.asyncDispose]();
        await io[Symbol.asyncDispose]();
      },
    };
  },
);
