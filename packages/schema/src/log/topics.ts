/** The names and settings of runlog's topics. Their records are in packages/records. */

export interface TopicNames {
  readonly events: string;
  readonly rejected: string;
  readonly meta: string;
  /**
   * The name of the first one. `run-meta` names the current one, and rebuilds number the next ones (`run-snapshots.v2`
   * …).
   */
  readonly snapshots: string;
  /** The aggregators' consumer group. */
  readonly group: string;
  /** How the names of the throw-away topics of `runlog doctor` begin, and of the transactional ids that write to them. */
  readonly probe: string;
}

/**
 * Returns the topic of figures that belongs to a snapshot topic: `run-figures` beside `run-snapshots`, `run-figures.v2`
 * beside `run-snapshots.v2`. Both have the same writers and are switched together.
 */
export function figuresTopicOf(snapshotsTopic: string): string {
  return snapshotsTopic.replace(/run-snapshots(\.v\d+)?$/, 'run-figures$1');
}

/** `run-snapshots` → `run-snapshots.v2` → `run-snapshots.v3`. */
export function nextSnapshotTopic(topics: TopicNames, snapshots: string): string {
  const version = /\.v(\d+)$/.exec(snapshots.slice(topics.snapshots.length))?.[1] ?? '1';
  return `${topics.snapshots}.v${Number(version) + 1}`;
}

export function topicNames(prefix: string): TopicNames {
  return {
    events: `${prefix}run-events`,
    rejected: `${prefix}run-events-rejected`,
    meta: `${prefix}run-meta`,
    snapshots: `${prefix}run-snapshots`,
    group: `${prefix}run-aggregator`,
    probe: `${prefix}runlog-doctor-`,
  };
}

/**
 * Returns the transactional id of a partition of a snapshot topic. The process that opened it last is the partition's
 * only writer.
 */
export function snapshotWriterId(snapshotsTopic: string, partition: number): string {
  return `${snapshotsTopic}.${partition}`;
}

/** Whether a record of a snapshot topic is about the topic itself, not the snapshot of a run. */
export function isReservedKey(key: string): boolean {
  return key.startsWith('#');
}
const HOUR_MS = 3_600_000;

/** Settings of the operator's own, which win over those that runlog creates topics with. */
export interface TopicConfig {
  /** Of the events topic alone: the rejected events are written in transactions, which cheaper storage may not have. */
  readonly events: Readonly<Record<string, string>>;
  /** Of the topics of snapshots and figures, those of later rebuilds too. */
  readonly snapshots: Readonly<Record<string, string>>;
}

export const noTopicConfig: TopicConfig = { events: {}, snapshots: {} };

export interface TopicSettings {
  readonly cleanupPolicy: 'delete' | 'compact';
  readonly settings: Readonly<Record<string, string>>;
}

/** The settings of every topic. The writer lowers `min.insync.replicas` if the cluster has one broker. */
const everywhere = {
  'min.insync.replicas': '2',
  'unclean.leader.election.enable': 'false',
  'max.message.bytes': String(1024 * 1024),
};

/**
 * Returns the settings of the events topic. Events must be kept at least as long as runs, or a rebuild would lose runs
 * that operators still see.
 */
export function eventTopicSettings(retentionHours: number): TopicSettings {
  return {
    cleanupPolicy: 'delete',
    settings: {
      ...everywhere,
      'retention.ms': String(Math.round(retentionHours * HOUR_MS)),
      'retention.bytes': '-1',
    },
  };
}

export function rejectedTopicSettings(retentionHours: number): TopicSettings {
  return eventTopicSettings(retentionHours);
}

/**
 * Returns the settings of a snapshot topic. Segments are small and roll every 10 min, because the active segment is
 * never compacted. `min.compaction.lag` gives a restore a minute in which no record is removed. Tombstones stay for a
 * day, for readers that were away.
 */
export function snapshotTopicSettings(): TopicSettings {
  return {
    cleanupPolicy: 'compact',
    settings: {
      ...everywhere,
      'segment.ms': '600000',
      'segment.bytes': String(32 * 1024 * 1024),
      'min.cleanable.dirty.ratio': '0.1',
      'min.compaction.lag.ms': '60000',
      'delete.retention.ms': String(24 * HOUR_MS),
    },
  };
}

export function metaTopicSettings(): TopicSettings {
  return snapshotTopicSettings();
}
