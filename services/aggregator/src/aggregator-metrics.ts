import { Counter, Gauge, Histogram, Registry } from '@runlog/service-kit/metrics';

/** Is told of the work of the aggregation: once per fetch and once per flush, never once per event. */
export interface AggregationObserver {
  /** `behind` is the number of offsets of the partition that were not yet read at that time. */
  folded(fetch: { partition: number; events: number; behind: number }): void;
  /** Is called when the partition is no longer ours. */
  released(partition: number): void;
  flushed(flush: { runs: number; bytes: number; seconds: number }): void;
  flushFailed(): void;
}

export interface AggregatorMetrics extends AggregationObserver {
  readonly registry: Registry;
}

export function createAggregatorMetrics(): AggregatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const events = counter('runlog_aggregator_events_folded_total', 'Records of run-events folded');
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
  const lag = new Gauge({
    name: 'runlog_aggregator_lag_offsets',
    help: 'Offsets of a held partition that were not yet folded at its newest fetch',
    labelNames: ['partition'] as const,
    registers,
  });
  return {
    registry,
    folded(fetch) {
      events.inc(fetch.events);
      lag.set({ partition: fetch.partition }, fetch.behind);
    },
    released: (partition) => lag.remove({ partition }),
    flushed(flush) {
      runs.inc(flush.runs);
      bytes.inc(flush.bytes);
      flushSeconds.observe(flush.seconds);
    },
    flushFailed: () => failures.inc(),
  };
}
