import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '@runlog/topic-io/embedded/open-embedded';
import { silentLogger } from '../support/silent-logger.ts';
import { describeTopicIo } from './topic-io-contract.ts';

describeTopicIo('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-contract-'));
  let io = await openEmbedded({ folder, logger: silentLogger });
  return {
    io,
    async reopen() {
      await io[Symbol.asyncDispose]();
      io = await openEmbedded({ folder, logger: silentLogger });
      return io;
    },
    async dispose() {
      await io[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
});
