import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { inject } from 'vitest';
import { silentLogger } from '../support/silent-logger.ts';
import { describeTopicIo } from './topic-io-contract.ts';

describeTopicIo('kafka', async () => {
  const open = () =>
    openKafka({ brokers: inject('kafkaBrokers'), clientId: 'runlog-contract', logger: silentLogger });
  let io = await open();
  return {
    io,
    async reopen() {
      await io[Symbol.asyncDispose]();
      io = await open();
      return io;
    },
    async dispose() {
      await io[Symbol.asyncDispose]();
    },
  };
});
