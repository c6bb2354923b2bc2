import { randomUUID } from 'node:crypto';
import { systemClock } from '@runlog/service-kit/clock';
import { runProcess } from '@runlog/service-kit/lifecycle';
import { openLog } from '@runlog/service-kit/log-config';
import { createLogger, type Logger } from '@runlog/service-kit/logger';
import { readAggregatorConfig } from './config.ts';
import { startAggregator } from './start-aggregator.ts';

let log: Logger = createLogger({ service: 'aggregator', level: 'info' });

await runProcess(
  () => log,
  async ({ fail }) => {
    const config = readAggregatorConfig(process.env);
    log = createLogger({ service: 'aggregator', level: config.log.logLevel });
    const io = await openLog(config.log, { clientId: 'runlog-aggregator', log });
    const aggregator = await startAggregator({
      config,
      io,
      log,
      clock: systemClock,
      random: Math.random,
      newEpoch: () => randomUUID(),
      fail,
    });
    return {
      addresses: aggregator.addresses,
      ready: aggregator.ready,
      async [Symbol.asyncDispose]() {
        await aggregator[Symbol.asyncDispose]();
        await io[Symbol.asyncDispose]();
      },
    };
  },
);
