import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { borrowBrokers } from '../support/broker-lent.ts';
import { type BrokerRemains, listRemains, withPrefix } from '../support/broker-remains.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const brokers = inject('kafkaBrokers');
const NOTHING: BrokerRemains = { topics: [], groups: [] };
let io: TopicIo;

beforeAll(async () => {
  io = await openKafka({ brokers, clientId: 'runlog-lent', logger: silentLogger });
});

afterAll(() => io[Symbol.asyncDispose]());

/** Leaves two topics and a group behind, as a test would. */
async function leaveBehind(prefix: string): Promise<void> {
  const topics = [`${prefix}run-events`, `${prefix}run-meta`];
  const common = { partitions: 2, cleanupPolicy: 'delete', settings: {} } as const;
  await io.ensureTopics(topics.map((name) => ({ name, ...common })));
  await using writer = await io.fencedWriter(`${prefix}writer`);
  const offsets = [{ group: `${prefix}group`, topic: topics[0]!, partition: 0, offset: 0 }];
  await writer.commit({ records: [], offsets });
  expect(await remains(prefix)).toEqual({ topics, groups: [`${prefix}group`] });
}

async function remains(prefix: string): Promise<BrokerRemains> {
  const { topics, groups } = withPrefix(await listRemains(brokers), prefix);
  return { topics: topics.toSorted(), groups };
}

it('is given back without our topics and groups, but with those of another run', async () => {
  const [ours, theirs] = [`${uniqueName('lent')}-`, `${uniqueName('lent')}-`];
  const lent = borrowBrokers({ brokers, prefix: ours });
  await leaveBehind(ours);
  await leaveBehind(theirs);
  const before = await remains(theirs);
  await lent.stop();
  expect(await remains(ours)).toEqual(NOTHING);
  expect(await remains(theirs)).toEqual(before);
});

it.each(['SIGINT', 'SIGKILL'] as const)('is tidied after %s of the run', async (signal) => {
  const prefix = `${uniqueName('lent')}-`;
  const program = fileURLToPath(new URL('../support/broker-lent.ts', import.meta.url));
  const borrow = `import { borrowBrokers } from ${JSON.stringify(program)};
    borrowBrokers(${JSON.stringify({ brokers, prefix })});
    setInterval(() => undefined, 1_000);
    process.stdout.write('borrowed');`;
  // The process leads a process group, as in a terminal, where Ctrl-C goes to the whole group.
  const run = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', borrow], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(run.stdout, 'data');
    await leaveBehind(prefix);
  } finally {
    process.kill(-run.pid!, signal);
  }
  await expect.poll(() => remains(prefix)).toEqual(NOTHING);
});
