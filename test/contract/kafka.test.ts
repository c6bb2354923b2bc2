import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import { inject } from 'vitest';
import { silentLog } from '../support/silent-log.ts';
import { describeTopicIo } from './topic-io-contract.ts';

describeTopicIo('kafka', async () => {
  const open = () =>
    openKafka({ brokers: inject('kafkaBrokers'), clientId: 'runlog-contract', log: silentLog });
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
