import { rightsOf } from '@runlog/schema/log/rights';
import { topicNames } from '@runlog/schema/log/topics';
import type { KafkaInspector } from '@runlog/topic-io/kafka/inspect-kafka';
import { expect, it } from 'vitest';
import { askRights, judgeRights } from './permissions.ts';

const topics = topicNames('');
const access = { brokers: ['b:9092'], commandConfig: true };

/** A cluster that denies what is named: `Read run-events`, `group run-aggregator`, `id run-snapshots.v2.0`. */
function cluster(denies: readonly string[]): KafkaInspector {
  const may = (what: string) => !denies.includes(what);
  return {
    topicRights: async (names: readonly string[]) =>
      new Map(names.map((name) => [name, (operation: string) => may(`${operation} ${name}`)])),
    mayReadGroup: async (group: string) => may(`group ${group}`),
    mayWriteUnder: async (id: string) => may(`id ${id}`),
  } as unknown as KafkaInspector;
}

async function judged(denies: readonly string[], isCreated = true) {
  const asked = await askRights(cluster(denies), {
    ...{ role: 'aggregator', topics, snapshots: 'run-snapshots.v2', isCreated },
  });
  return judgeRights({ ...asked, principal: 'User:ada', access });
}

it('is content with all rights of the role', async () => {
  expect(await judged([])).toMatchObject([{ status: 'ok', name: 'aggregator' }]);
});

it('asks about the topic in use, and names the right as it is given', async () => {
  expect(await judged(['Write run-snapshots.v2', 'group run-aggregator'])).toMatchObject([
    {
      ...{ status: 'failed', name: 'topic run-snapshots…' },
      remedy: [
        'kafka-acls.sh --bootstrap-server b:9092 --command-config admin.properties --add --allow-principal User:ada ' +
          '--operation Write --resource-pattern-type prefixed --topic run-snapshots',
      ],
    },
    { status: 'failed', name: 'group run-aggregator' },
  ]);
  expect(await judged(['id run-snapshots.v2.0'])).toMatchObject([
    { status: 'failed', name: 'transactional id run-snapshots…' },
  ]);
});

it('warns of what the next rebuild will need', async () => {
  expect(await judged(['Read run-figures.v3'])).toMatchObject([
    { status: 'ok' },
    { status: 'warning', name: 'topic run-figures…' },
  ]);
});

it('warns if topics are missing that this process may not make', async () => {
  const found = await judged(['Create run-events'], false);
  expect(found[1]).toMatchObject({
    status: 'warning',
    name: 'create',
    remedy: [expect.stringContaining('Create')],
  });
});

it('skips what the cluster does not say', async () => {
  const silent = { ...cluster([]), topicRights: async () => new Map(), mayReadGroup: async () => null };
  const asked = await askRights(silent as unknown as KafkaInspector, {
    ...{ role: 'gateway', topics, snapshots: topics.snapshots, isCreated: true },
  });
  const found = judgeRights({ ...asked, principal: null, access });
  expect(found.map(({ status }) => status)).toEqual(rightsOf('gateway', topics).map(() => 'skipped'));
});
