import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeAppending } from './contract-append.ts';
import type { ContractContext, LogUnderTest } from './contract-context.ts';
import { describeFencedWriters } from './contract-fenced.ts';
import { describeGroups } from './contract-group.ts';
import { describeReading } from './contract-reader.ts';
import { describeTopics } from './contract-topics.ts';

/**
 * Tests the contract of the topic-io port, sentence by sentence. Every engine passes it unchanged. Topics, writer ids
 * and groups have random names, so a shared broker will do. `open` is called once for the suite.
 */
export function describeTopicIo(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`topic-io contract: ${name}`, () => {
    let log: LogUnderTest | undefined;
    let current: TopicIo | undefined;

    beforeAll(async () => {
      log = await open();
      current = log.io;
    });

    afterAll(async () => {
      await log?.dispose();
    });

    const context: ContractContext = {
      sharesStay: () => log?.sharesStay ?? true,
      io: () => {
        if (current === undefined) throw new Error('the log is not open');
        return current;
      },
      reopen: async () => {
        if (log?.reopen === undefined) return null;
        current = await log.reopen();
        return current;
      },
    };

    describeTopics(context);
    describeAppending(context);
    describeReading(context);
    describeFencedWriters(context);
    describeGroups(context);
  });
}
