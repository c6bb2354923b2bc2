import { type HeldPartition, heldPartitions } from '@runlog/run-feed/held-partitions';
import { prepareTopics, readMeta } from '@runlog/run-feed/prepare-topics';
import { figuresTopicOf } from '@runlog/schema/log/topics';
import { FIGURES_SINCE_FOLD } from '@runlog/schema/run/figures';
import type { LogConfig } from '@runlog/service-kit/log-config';
import { processResources } from '@runlog/service-kit/run-service';
import type { TopicDescription, TopicIo } from '@runlog/topic-io/topic-io';
import { type Command, exitCodes, parseCommandLine } from '../command.ts';
import { heldLine } from '../log/held-line.ts';
import { logAccessVariables, withLog } from '../log/log-access.ts';
import { textTable } from '../text-table.ts';

const options = {
  create: { type: 'boolean', help: 'create missing topics, as the services do when they start' },
  json: { type: 'boolean', help: 'as JSON' },
} as const;

export const command: Command = {
  usage: '[options]',
  description:
    "Prints runlog's topics as they are in the log: partitions, replication and settings, and whose open transactions hold events back. With --create it creates those that are missing, for clusters where the services themselves may not. Existing topics are never changed.",
  options,
  examples: [
    'KAFKA_BROKERS=127.0.0.1:9092 runlog topics',
    'KAFKA_BROKERS=kafka:9092 RUNLOG_PARTITIONS=24 runlog topics --create',
  ],
  environment: [
    ...logAccessVariables,
    ['RUNLOG_PARTITIONS', 'for --create (12 on Kafka, 4 embedded)'],
    ['RUNLOG_REPLICATION_FACTOR', 'for --create (3; 1 on a single broker)'],
    ['RUNLOG_EVENT_RETENTION_HOURS', 'for --create (720)'],
    ['RUNLOG_EVENTS_TOPIC_CONFIG', 'for --create: name=value,name=value'],
    ['RUNLOG_SNAPSHOTS_TOPIC_CONFIG', 'for --create: name=value,name=value'],
  ],
  worksUnread: true,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const create = values.create === true;
    return withLog(env, { command: 'topics', readOnly: !create }, async ({ io, config, logger }) => {
      if (create) {
        const { topics, partitions, replicationFactor, eventRetentionHours, topicConfig } = config;
        await prepareTopics({
          io,
          topics,
          partitions,
          replicationFactor,
          eventRetentionHours,
          topicConfig,
          epoch: processResources.newEpoch,
          now: processResources.clock.now,
          logger,
        });
      }
      const found = await describeAll(io, config);
      process.stdout.write(
        values.json === true ? `${JSON.stringify(found, null, 2)}\n` : topicsText(found, config),
      );
      return found.some((topic) => topic.partitions === null) ? exitCodes.failed : exitCodes.ok;
    });
  },
};

/** A topic of runlog; `partitions` is null where it does not exist. */
type FoundTopic =
  | (TopicDescription & { readonly heldBack?: readonly HeldPartition[] })
  | { readonly name: string; readonly partitions: null; readonly settings: Record<string, never> };

async function describeAll(io: TopicIo, { topics }: LogConfig): Promise<FoundTopic[]> {
  const meta = (await io.describeTopic(topics.meta)) === null ? null : await readMeta(io, topics);
  const snapshots = meta?.snapshots ?? topics.snapshots;
  // Topics that an older fold wrote have no figures.
  const figures = meta !== null && meta.fold < FIGURES_SINCE_FOLD ? [] : [figuresTopicOf(snapshots)];
  const names = [topics.events, snapshots, ...figures, topics.rejected, topics.meta];
  const described: FoundTopic[] = [];
  for (const name of names) {
    const topic = await io.describeTopic(name);
    if (topic === null) described.push({ name, partitions: null, settings: {} });
    else if (name !== topics.events) described.push(topic);
    // Only here do other applications write. What holds runlog's own topics back is its own, and short.
    else described.push({ ...topic, heldBack: await heldPartitions(io, { topic: name, ...topic }) });
  }
  return described;
}

function topicsText(topics: readonly FoundTopic[], config: LogConfig): string {
  const table = textTable(topics, [
    { title: 'TOPIC', text: (topic) => topic.name },
    {
      title: 'PARTITIONS',
      text: (topic) => (topic.partitions === null ? 'missing' : String(topic.partitions)),
      right: true,
    },
    {
      title: 'REPLICAS',
      text: (topic) => (topic.partitions === null ? '-' : String(topic.replicationFactor)),
      right: true,
    },
    {
      title: 'SETTINGS',
      text: (topic) =>
        ['cleanup.policy', 'retention.ms', 'segment.ms', 'min.insync.replicas']
          .filter((name) => topic.settings[name] !== undefined)
          // Kafka has a value for it there too, which it does not apply.
          .filter((name) => name !== 'retention.ms' || topic.settings['cleanup.policy'] !== 'compact')
          .map((name) => `${name}=${topic.settings[name]}`)
          .join(' '),
    },
  ]);
  const held = topics.flatMap((topic) => ('heldBack' in topic ? (topic.heldBack ?? []) : []));
  const lines = held.map((one) => `${heldLine(one, Date.now())}\n`);
  return `${table}\n${hintOf(topics, config)}${lines.join('')}`;
}

/** As soon as `run-meta` names topics of snapshots and figures, only a rebuild makes any. */
function hintOf(found: readonly FoundTopic[], { topics }: LogConfig): string {
  const missing = found.filter(({ partitions }) => partitions === null).map(({ name }) => name);
  if (missing.length === 0) return '';
  const isAgreed = !missing.includes(topics.meta);
  const isMadeByServices = missing.includes(topics.events) || missing.includes(topics.rejected);
  const isPrefixRight = missing.length === found.length ? 'is RUNLOG_TOPIC_PREFIX right? If so, ' : '';
  if (!isAgreed || isMadeByServices)
    return `${isPrefixRight}runlog topics --create creates what is missing\n`;
  return 'runlog rebuild writes snapshots and figures anew\n';
}
