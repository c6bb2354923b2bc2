import { topicNames } from '@runlog/schema/log/topics';
import { openKafka } from '@runlog/topic-io/kafka/open-kafka';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { uniqueName } from '../support/unique-name.ts';

const EVENTS = 'retention.ms=5184000000,segment.bytes=16777216';
const SNAPSHOTS = 'segment.bytes=8388608,min.cleanable.dirty.ratio=0.5';

describe('settings of topics of the operator’s own', () => {
  let io: TopicIo;
  let prefix: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    const brokers = inject('kafkaBrokers');
    prefix = `${uniqueName('config')}-`;
    env = { KAFKA_BROKERS: brokers.join(','), RUNLOG_TOPIC_PREFIX: prefix, RUNLOG_PARTITIONS: '1' };
    io = await openKafka({ brokers, clientId: 'by-hand', logger: silentLogger });
  });
  afterEach(async () => {
    await io?.[Symbol.asyncDispose]();
  });

  const settingsOf = async (name: string) => (await io.describeTopic(name))?.settings;

  it('are those with which topics are created, by services, by a rebuild and by hand', async () => {
    const own = { ...env, RUNLOG_EVENTS_TOPIC_CONFIG: EVENTS, RUNLOG_SNAPSHOTS_TOPIC_CONFIG: SNAPSHOTS };
    const topics = topicNames(prefix);
    expect((await runCli(['topics', '--create'], own)).code).toBe(0);
    const events = { 'retention.ms': '5184000000', 'segment.bytes': '16777216', 'cleanup.policy': 'delete' };
    const snapshots = { 'segment.bytes': '8388608', 'min.cleanable.dirty.ratio': '0.5' };
    expect(await settingsOf(topics.events)).toMatchObject(events);
    for (const name of ['run-snapshots', 'run-figures']) {
      const compacted = { ...snapshots, 'cleanup.policy': 'compact', 'delete.retention.ms': '86400000' };
      expect(await settingsOf(`${prefix}${name}`)).toMatchObject(compacted);
    }
    // These are written in transactions, or hold what all processes agree on.
    expect(await settingsOf(topics.rejected)).toMatchObject({ 'retention.ms': '2592000000' });
    expect(await settingsOf(topics.meta)).toMatchObject({ 'segment.bytes': '33554432' });

    expect((await runCli(['rebuild'], own)).code).toBe(0);
    for (const name of ['run-snapshots.v2', 'run-figures.v2']) {
      expect(await settingsOf(`${prefix}${name}`)).toMatchObject(snapshots);
    }

    // A topic keeps what it has, and the difference to what is configured now is said.
    await using ingest = await ServiceProcess.start('ingest', env);
    const line = ingest.output.split('\n').find((text) => text.includes('"differences"'));
    expect(JSON.parse(line!)).toMatchObject({
      ...{ level: 30, topic: topics.events },
      differences: [{ setting: 'retention.ms', wanted: '2592000000', found: '5184000000', grave: false }],
    });
    expect(await settingsOf(topics.events)).toMatchObject(events);
  });

  it('are named one by one if they cannot be meant', async () => {
    const wrong = {
      RUNLOG_EVENTS_TOPIC_CONFIG: 'cleanup.policy=compact,retention.ms=1000,segment.ms',
      RUNLOG_SNAPSHOTS_TOPIC_CONFIG: 'max.message.bytes=16384',
    };
    const refusal = await ServiceProcess.start('aggregator', { ...env, ...wrong }).catch(String);
    expect(refusal).toContain('aggregator ended (2)');
    expect(refusal).toContain('RUNLOG_EVENTS_TOPIC_CONFIG cleanup.policy must be delete');
    expect(refusal).toContain('"segment.ms" has no "="');
    expect(refusal).toContain('RUNLOG_SNAPSHOTS_TOPIC_CONFIG max.message.bytes must be 528384 or more');
  });

  it('are named by the broker if it does not know them', async () => {
    const wrong = { RUNLOG_EVENTS_TOPIC_CONFIG: 'retention.sm=5184000000' };
    const refusal = await ServiceProcess.start('ingest', { ...env, ...wrong }).catch(String);
    expect(refusal).toContain('ingest ended (1)');
    expect(refusal).toContain(`create topic ${prefix}run-events`);
    expect(refusal).toContain('Unknown topic config name: retention.sm');
  });
});
