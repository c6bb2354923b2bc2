import type { RunMeta } from '@runlog/records/meta-record';
import { noTopicConfig, topicNames } from '@runlog/schema/log/topics';
import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import type { TopicFacts } from '@runlog/topic-io/kafka/inspect-topic';
import { describe, expect, it } from 'vitest';
import { judgeTopics, topicsDue } from './topics.ts';

const plan = {
  ...{ topics: topicNames('p.'), partitions: 2, replicationFactor: undefined },
  ...{ eventRetentionHours: 720, topicConfig: noTopicConfig },
};
const meta: RunMeta = {
  ...{ epoch: 'e', fold: FOLD_VERSION, partitions: 2, snapshots: 'p.run-snapshots' },
  events_id: 'a',
};
const access = { brokers: ['b:9092'], commandConfig: true };
const due = topicsDue(plan, meta);

type Found = Extract<TopicFacts, { kind: 'found' }>;

/** The topics as runlog would make them on three brokers, one of them changed. */
function facts(changed: string, change: (found: Found) => TopicFacts): TopicFacts[] {
  return due.map((spec) => {
    const found: Found = {
      ...{ kind: 'found', name: spec.name, id: 'a' },
      settings: { 'cleanup.policy': spec.cleanupPolicy, ...spec.settings },
      partitions: Array.from({ length: spec.partitions }, (_, partition) => ({
        ...{ partition, leader: 1, replicas: [1, 2, 3], inSync: [1, 2, 3] },
      })),
    };
    return spec.name === changed ? change(found) : found;
  });
}

function judged(of: TopicFacts[], seen: { meta?: RunMeta | null; partitionsAsked?: number } = {}) {
  const brokers = new Set([1, 2, 3]);
  const findings = judgeTopics(due, {
    facts: of,
    meta,
    brokers,
    partitionsAsked: undefined,
    access,
    ...seen,
  });
  return findings.filter(({ status }) => status !== 'ok');
}

const [first] = facts('', (found) => found);

describe('topics', () => {
  it('that are as runlog makes them are well', () => {
    expect(judged(facts('', (found) => found))).toEqual([]);
  });

  it('that differ gravely have failed, with the command that mends it', () => {
    const found = judged(
      facts('p.run-events', (topic) => ({ ...topic, settings: { ...topic.settings, 'retention.ms': '1' } })),
    );
    expect(found).toMatchObject([
      {
        ...{ status: 'failed', name: 'p.run-events: retention.ms' },
        remedy: [
          'kafka-configs.sh --bootstrap-server b:9092 --command-config admin.properties --alter --entity-type topics ' +
            '--entity-name p.run-events --add-config retention.ms=2592000000',
        ],
      },
    ]);
  });

  it('that keep more than they must are only warned of', () => {
    const more = { 'retention.ms': '-1' };
    const found = judged(
      facts('p.run-events', (topic) => ({ ...topic, settings: { ...topic.settings, ...more } })),
    );
    expect(found.map(({ status }) => status)).toEqual(['warning']);
  });

  it('are missing altogether before the first start, which is no fault', () => {
    const none = due.map(({ name }) => ({ kind: 'missing', name }) as const);
    expect(judged(none, { meta: null })).toMatchObject([{ status: 'warning', name: 'topics' }]);
  });

  it.each([
    ['p.run-snapshots', 'runlog rebuild'],
    ['p.run-figures', 'runlog rebuild'],
    ['p.run-events', 'runlog topics --create'],
  ])('%s has failed if services have worked with it and it is gone', (name, command) => {
    const found = facts(name, () => ({ kind: 'missing', name }));
    expect(judged(found)).toMatchObject([{ status: 'failed', name, remedy: [command] }]);
    expect(judged(found, { meta: null })).toMatchObject([{ status: 'warning', name }]);
  });

  it('that may not be looked at are skipped', () => {
    const denied = facts('p.run-meta', ({ name }) => ({ kind: 'denied', name }));
    expect(judged(denied)).toMatchObject([{ status: 'skipped', name: 'p.run-meta' }]);
    const unread = facts('p.run-meta', (topic) => ({ ...topic, settings: null }));
    expect(judged(unread)).toMatchObject([{ status: 'skipped', name: 'p.run-meta: settings' }]);
  });

  it('of other partition counts, or made anew, have failed', () => {
    const one = facts('p.run-figures', (topic) => ({ ...topic, partitions: topic.partitions.slice(0, 1) }));
    expect(judged(one)).toMatchObject([{ status: 'failed', name: 'p.run-figures: partitions' }]);
    const anew = facts('p.run-events', (topic) => ({ ...topic, id: 'b' }));
    expect(judged(anew)).toMatchObject([{ status: 'failed', name: 'p.run-events: id' }]);
    const asked = judged(
      facts('', (topic) => topic),
      { partitionsAsked: 7 },
    );
    expect(asked).toMatchObject([{ status: 'warning', name: 'p.run-events: partitions' }]);
  });
});

describe('replicas', () => {
  const partition = (first?.kind === 'found' ? first.partitions[0] : undefined)!;

  it.each([
    [{ leader: null, inSync: [] }, 'p.run-meta: leaders', 'failed', 'no leader'],
    [{ inSync: [1] }, 'p.run-meta: in sync', 'failed', 'broker 2, 3'],
    [{ inSync: [1, 2] }, 'p.run-meta: replicas in sync', 'warning', 'broker 3'],
    [{ replicas: [1], inSync: [1] }, 'p.run-meta: replicas', 'failed', 'nothing can be written'],
    [{ replicas: [1, 2], inSync: [1, 2] }, 'p.run-meta: replicas', 'warning', '2 replicas, not 3'],
  ])('%j', (change, name, status, text) => {
    const found = judged(
      facts('p.run-meta', (topic) => ({ ...topic, partitions: [{ ...partition, ...change }] })),
    );
    expect(found).toContainEqual(
      expect.objectContaining({ name, status, message: expect.stringContaining(text) }),
    );
  });

  it('on a broker that the cluster does not know have failed', () => {
    const gone = facts('p.run-meta', (topic) => ({
      ...topic,
      partitions: [{ ...partition, replicas: [1, 2, 9], inSync: [1, 2] }],
    }));
    expect(judged(gone)[0]).toMatchObject({ status: 'failed', name: 'broker 9' });
  });
});
