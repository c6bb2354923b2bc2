import { Counter, Gauge, Histogram, Registry } from '@runlog/service-kit/metrics';

/** Is told of the work of the aggregation: once per fetch and once per flush, never once per event. */
export interface AggregationObserver {
  /** `newestMs` says when the newest record of the fetch was received. */
  folded(fetch: {
    partition: number;
    events: number;
    unfoldable: number;
    unreadable: number;
    newestMs: number | null;
  }): void;
  /** `behind` is the number of offsets of the partition up to its high watermark that are not folded. */
  lagging(lag: { partition: number; behind: number }): void;
  /** Is called when the partition is no longer ours. */
  released(partition: number): void;
  flushed(flush: { runs: number; bytes: number; seconds: number; atMs: number }): void;
  flushFailed(): void;
}

export interface AggregatorMetrics extends AggregationObserver {
  readonly registry: Registry;
  /** The offsets of all held partitions that are not folded, as of the newest answers of the log. */
  readonly behindRecords: () => number;
}

/** `isStalled` says whether the log does not answer, `heldBackRecords` how many are held back by others' transactions. */
export function createAggregatorMetrics(options: {
  isStalled: () => boolean;
  heldBackRecords: () => number;
}): AggregatorMetrics {
  const { isStalled, heldBackRecords } = options;
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const events = counter('runlog_aggregator_events_folded_total', 'Records of run-events folded');
  const unfoldable = counter(
    'runlog_aggregator_unfoldable_records_total',
    'Records of run-events that no fold can read, which went to the rejected topic',
  );
  const unreadable = counter(
    'runlog_aggregator_unreadable_batches_total',
    'Batches of events that nobody can read, which went to the rejected topic',
  );
  const runs = counter(
    'runlog_aggregator_snapshots_written_total',
    'Snapshots, figures of runs, and tombstones committed',
  );
  const bytes = counter('runlog_aggregator_snapshot_bytes_total', 'Bytes of snapshots and figures committed');
  const failures = counter('runlog_aggregator_flush_failures_total', 'Flushes that failed or were fenced');
  const flushSeconds = new Histogram({
    name: 'runlog_aggregator_flush_seconds',
    help: 'One transaction of snapshots, figures, checkpoint and group offset',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const behind = new Map<number, number>();
  new Gauge({
    name: 'runlog_aggregator_lag_offsets',
    help: 'Offsets of a held partition that are not folded, up to its high watermark; NaN while the log does not answer',
    labelNames: ['partition'] as const,
    registers,
    collect() {
      this.reset();
      for (const [partition, offsets] of behind) this.set({ partition }, isStalled() ? Number.NaN : offsets);
    },
  });
  new Gauge({
    name: 'runlog_aggregator_held_back_records',
    help: 'Offsets that no reader sees because another producer has had a transaction open for two seconds',
    registers,
    collect() {
      this.set(heldBackRecords());
    },
  });
  new Gauge({
    name: 'runlog_aggregator_feed_up',
    help: '1 while the log answers, 0 when it has not for two seconds',
    registers,
    collect() {
      this.set(isStalled() ? 0 : 1);
    },
  });
  const time = (name: string, help: string) => new Gauge({ name, help, registers });
  const lastRecord = time(
    'runlog_aggregator_feed_last_record_timestamp_seconds',
    'When the newest record that is folded was received, in seconds since 1970; 0 if there is none',
  );
  const lastFlush = time(
    'runlog_aggregator_last_flush_timestamp_seconds',
    'The end of the last flush that was committed, in seconds since 1970; 0 if there is none',
  );
  let newestMs = 0;
  return {
    registry,
    folded(fetch) {
      events.inc(fetch.events);
      unfoldable.inc(fetch.unfoldable);
      unreadable.inc(fetch.unreadable);
      newestMs = Math.max(newestMs, fetch.newestMs ?? 0);
      lastRecord.set(newestMs / 1_000);
    },
    lagging: (lag) => void behind.set(lag.partition, lag.behind),
    behindRecords: () => [...behind.values()].reduce((sum, offsets) => sum + offsets, 0),
    released: (partition) => void behind.delete(partition),
    flushed(flush) {
      runs.inc(flush.runs);
      bytes.inc(flush.bytes);
      flushSeconds.observe(flush.seconds);
      lastFlush.set(flush.atMs / 1_000);
    },
    flushFailed: () => failures.inc(),
  };
}
