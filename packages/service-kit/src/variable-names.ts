import { nearestName } from './nearest-name.ts';

export const PREFIX = 'RUNLOG_';

/**
 * Every `RUNLOG_` variable that any service, command or client reads. A process knows them all, because one file of
 * variables may serve several of them.
 */
export const variableNames: readonly string[] = [
  'RUNLOG_AGGREGATOR_HOST',
  'RUNLOG_AGGREGATOR_PORT',
  'RUNLOG_ALLOWED_ORIGINS',
  'RUNLOG_BENCH_PROFILES',
  'RUNLOG_CHROMIUM',
  'RUNLOG_COMPRESSION',
  'RUNLOG_CONNECTIONS_MAX',
  'RUNLOG_DATA_DIR',
  'RUNLOG_DISABLED',
  'RUNLOG_DRAIN_MS',
  'RUNLOG_EMBED_ORIGINS',
  'RUNLOG_ENGINE',
  'RUNLOG_EVENTS_TOPIC_CONFIG',
  'RUNLOG_EVENT_RETENTION_HOURS',
  'RUNLOG_GATEWAY_HOST',
  'RUNLOG_GATEWAY_PORT',
  'RUNLOG_GATEWAY_URL',
  'RUNLOG_INGEST_HOST',
  'RUNLOG_INGEST_PORT',
  'RUNLOG_INGEST_URL',
  'RUNLOG_KAFKA_ENCODER',
  'RUNLOG_KEY',
  'RUNLOG_KEYS_FILE',
  'RUNLOG_KEY_FILE',
  'RUNLOG_VIEW_KEY',
  'RUNLOG_VIEW_KEY_FILE',
  'RUNLOG_LOG_LEVEL',
  'RUNLOG_OPEN',
  'RUNLOG_PARTITIONS',
  'RUNLOG_REPLICATION_FACTOR',
  'RUNLOG_RUN_RETENTION_HOURS',
  'RUNLOG_SNAPSHOTS_TOPIC_CONFIG',
  'RUNLOG_SNAPSHOT_BYTES_PER_SECOND',
  'RUNLOG_SNAPSHOT_INTERVAL_MS',
  'RUNLOG_SPOOL_DIR',
  'RUNLOG_TEST_BROKER',
  'RUNLOG_TOPIC_PREFIX',
  'RUNLOG_WORKERS',
];

/** Names are compared without the prefix, which they all share. */
export function nearestVariable(variable: string): string | null {
  const known = variableNames.map((name) => name.slice(PREFIX.length).toLowerCase());
  const nearest = nearestName(variable.slice(PREFIX.length), known);
  return nearest === null ? null : PREFIX + nearest.toUpperCase();
}
