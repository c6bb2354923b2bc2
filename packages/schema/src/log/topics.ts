/** Names and settings of runlog's topics. Their records are in packages/records. */

export interface TopicNames {
  readonly events: string;
  readonly rejected: string;
  readonly meta: string;
  /** The first one; `run-meta` names the current one, and rebuilds count on (`run-snapshots.v2` …). */
  readonly snapshots: string;
  /** The aggregators' consumer group. */
  readonly group: string;
}

export function topicNames(prefix: string): TopicNames {
  return {
    events: `${prefix}run-events`,
    rejected: `${prefix}run-events-rejected`,
    meta: `${prefix}run-meta`,
    snapshots: `${prefix}run-snapshots`,
    group: `${prefix}run-aggregator`,
  };
}

/** One transactional id per snapshot topic and partition: whoever opens it last is the partition's only writer. */
export function snapshotWriterId(snapshotsTopic: string, partition: number): string {
  return `${snapshotsTopic}.${partition}`;
}

/** Whether a record of a snapshot topic is about the topic itself, not the snapshot of a run. */
export function isReservedKey(key: string): boolean {
  return key.startsWith('#');
}
const HOUR_MS = 3_600_000;

export interface TopicSettings {
  readonly cleanupPolicy: 'delete' | 'compact';
  readonly settings: Readonly<Record<string, string>>;
}

/** In every topic; the writer lowers `min.insync.replicas` where the cluster has one broker. */
const everywhere = {
  'min.insync.replicas': '2',
  'unclean.leader.election.enable': 'false',
  'max.message.bytes': String(1024 * 1024),
};

/** Retention of events must reach back as far as runs are kept, else a rebuild would lose what operators still see. */
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
 * Small segments that roll every 10 min, because the active segment is never compacted; `min.compaction.lag` gives a
 * restore a minute in which nothing vanishes under it; tombstones stay a day for readers that were away.
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
