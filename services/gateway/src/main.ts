import { randomBytes } from 'node:crypto';
import { runProcess } from '@runlog/service-kit/lifecycle';
import { openLog } from '@runlog/service-kit/log-config';
import { createLogger } from '@runlog/service-kit/logger';
import { readGatewayConfig } from './config.ts';
import { startGateway } from './start-gateway.ts';

let log = createLogger({ service: 'gateway', level: 'info' });

await runProcess(
  () => log,
  async ({ fail }) => {
    const config = readGatewayConfig(process.env);
    log = createLogger({ service: 'gateway', level: config.log.logLevel });
    const io = await openLog(config.log, { clientId: 'runlog-gateway', log });
    const newEpoch = () => randomBytes(8).toString('hex');
    const starting = startGateway({ config, io, log, now: Date.now, random: Math.random, newEpoch, fail });
    const gateway = await starting.catch(async (error: unknown) => {
      await io[Symbol.asyncDispose]();
      throw error;
    });
    return {
      addresses: gateway.addresses,
      ready: gateway.ready,
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]();
        await io[Symbol.asyncDispose]();
      },
    };
  },
);
