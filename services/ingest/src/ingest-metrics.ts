import { type EventFaultCode, eventFaultCodes, type HttpFaultCode, httpFaults } from '@runlog/schema/faults';
import { ClusterCounter, Counter, Gauge, Histogram, Registry } from '@runlog/service-kit/metrics';

/** The figures of ingest. They cost a few additions per request and nothing per event. */
export interface IngestMetrics {
  readonly registry: Registry;
  /** A body was judged, and its valid events were sent to the log, or not. */
  published(body: {
    clusterId: string;
    events: number;
    bytes: number;
    accepted: number;
    normalized: number;
    retry: number;
    rejected: ReadonlyMap<EventFaultCode, number>;
    /** Those that were stored before, and not again. */
    repeated?: number;
  }): void;
  /** The log has answered for a body this many seconds after it was handed over. */
  acknowledged(seconds: number): void;
  /** A request for one of the paths that take events was answered. */
  answered(path: string, status: number): void;
  /** A request was answered with a fault. */
  fault(code: HttpFaultCode): void;
}

/** The options are figures that are read when somebody asks for the metrics. */
export function createIngestMetrics(options: {
  bytesInFlight: () => number;
  rejectedLost: () => number;
  /** Whether a newer version of the fold writes the snapshots. */
  isOlder: () => boolean;
}): IngestMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const byCluster = (name: string, help: string) =>
    new ClusterCounter(new Counter({ name, help, labelNames: ['cluster'] as const, registers }));

  const accepted = byCluster('runlog_ingest_events_accepted_total', 'Events that the log acknowledged');
  const rejectedByCluster = byCluster(
    'runlog_ingest_cluster_events_rejected_total',
    'Events rejected, by cluster',
  );
  const rejectedByCode = new Counter({
    name: 'runlog_ingest_events_rejected_total',
    help: 'Events rejected, by reason',
    labelNames: ['code'] as const,
    registers,
  });
  for (const code of eventFaultCodes) rejectedByCode.inc({ code }, 0);
  const retry = counter('runlog_ingest_events_retry_total', 'Events that clients were asked to send again');
  const normalized = counter(
    'runlog_ingest_events_normalized_total',
    'Accepted events with a bare NaN or Infinity',
  );
  const bytes = byCluster('runlog_ingest_bytes_total', 'Bytes of bodies after inflation');
  const repeated = counter(
    'runlog_ingest_events_repeated_total',
    'Events that a sender sent again although they were stored',
  );
  const requests = new Counter({
    name: 'runlog_ingest_requests_total',
    help: 'Requests for paths that take events, by the status of their answer',
    labelNames: ['path', 'status'] as const,
    registers,
  });
  const faults = new Counter({
    name: 'runlog_ingest_requests_refused_total',
    help: 'Requests answered with a fault, by its code',
    labelNames: ['code', 'status'] as const,
    registers,
  });
  const ackSeconds = new Histogram({
    name: 'runlog_ingest_ack_seconds',
    help: 'Seconds from the end of a body until the log has answered for all of its events',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const batchEvents = new Histogram({
    name: 'runlog_ingest_batch_events',
    help: 'Number of events per body',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000],
    registers,
  });
  new Counter({
    name: 'runlog_ingest_rejected_lost_total',
    help: 'Rejected events that could not be kept',
    registers,
    collect() {
      this.reset();
      this.inc(options.rejectedLost());
    },
  });
  new Gauge({
    name: 'runlog_ingest_newer_build',
    help: '1 while a newer version of the fold writes the snapshots: this process is to be updated',
    registers,
    collect() {
      this.set(options.isOlder() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'runlog_ingest_in_flight_bytes',
    help: 'Bytes of bodies that are being read or wait for the log',
    registers,
    collect() {
      this.set(options.bytesInFlight());
    },
  });

  return {
    registry,
    published(body) {
      accepted.add(body.clusterId, body.accepted);
      bytes.add(body.clusterId, body.bytes);
      batchEvents.observe(body.events);
      if (body.normalized > 0) normalized.inc(body.normalized);
      if (body.retry > 0) retry.inc(body.retry);
      if (body.repeated !== undefined && body.repeated > 0) repeated.inc(body.repeated);
      for (const [code, events] of body.rejected) {
        rejectedByCluster.add(body.clusterId, events);
        rejectedByCode.inc({ code }, events);
      }
    },
    acknowledged: (seconds) => ackSeconds.observe(seconds),
    answered: (path, status) => requests.inc({ path, status }),
    fault: (code) => faults.inc({ code, status: httpFaults[code].status }),
  };
}
