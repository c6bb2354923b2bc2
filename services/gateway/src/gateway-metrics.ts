import { Counter, Gauge, Registry } from '@runlog/service-kit/metrics';
import type { Hub } from './fan-out/hub.ts';
import type { FeedView } from './read/feed.ts';

/** The figures that the gateway counts while it sends. */
export interface GatewayMetrics {
  readonly registry: Registry;
  /** Is told how many frames were handed to a connection. */
  readonly sent: (frames: number) => void;
}

/** Figures that are read when somebody asks for the metrics. */
export interface GatewayFigures {
  readonly connections: () => { readonly websocket: number; readonly sse: number; readonly lagging: number };
  readonly bytesSent: () => number;
  readonly hub: () => Hub | null;
  readonly runs: () => number;
  readonly feed: Pick<FeedView, 'state' | 'health' | 'lastRecordMs' | 'unreadableBatches'>;
}

export function createGatewayMetrics(figures: GatewayFigures): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('runlog_gateway_connections', 'Open WebSocket connections', () => figures.connections().websocket);
  gauge(
    'runlog_gateway_lagging_clients',
    'Connections whose queue is full',
    () => figures.connections().lagging,
  );
  gauge(
    'runlog_gateway_event_streams',
    'Open streams of server-sent events',
    () => figures.connections().sse,
  );
  gauge(
    'runlog_gateway_subscriptions',
    'Subscriptions to runs',
    () => figures.hub()?.load.subscriptions ?? 0,
  );
  gauge(
    'runlog_gateway_channels',
    'Runs with at least one subscriber',
    () => figures.hub()?.load.channels ?? 0,
  );
  gauge('runlog_gateway_runs', 'Runs held in memory', figures.runs);
  gauge('runlog_gateway_ready', '1 once every run has been read', () => (figures.hub() === null ? 0 : 1));
  const { feed } = figures;
  gauge('runlog_gateway_feed_up', '1 while the log answers, 0 when it has not for two seconds', () =>
    feed.state().state === 'live' ? 1 : 0,
  );
  gauge(
    'runlog_gateway_feed_last_record_timestamp_seconds',
    'When the newest record that is folded was received, in seconds since 1970; 0 if there is none',
    () => (feed.lastRecordMs() ?? 0) / 1_000,
  );
  gauge(
    'runlog_gateway_behind_records',
    'Offsets of the log that are not folded, up to its high watermark; NaN while that is not known',
    () => feed.health().behind_records ?? Number.NaN,
  );
  gauge(
    'runlog_gateway_held_back_records',
    'Offsets that no reader sees because another producer has had a transaction open for two seconds',
    () => feed.health().held_back?.records ?? 0,
  );
  new Counter({
    name: 'runlog_gateway_unreadable_batches_total',
    help: 'Batches of events that nobody can read and that were passed',
    registers,
    collect() {
      this.reset();
      this.inc(feed.unreadableBatches());
    },
  });
  // A counter that is told of every write would take a noticeable part of what the write takes.
  let frames = 0;
  new Counter({
    name: 'runlog_gateway_frames_total',
    help: 'Frames sent to clients',
    registers,
    collect() {
      this.reset();
      this.inc(frames);
    },
  });
  new Counter({
    name: 'runlog_gateway_sent_bytes_total',
    help: 'Bytes written to streams of clients',
    registers,
    collect() {
      this.reset();
      this.inc(figures.bytesSent());
    },
  });
  return {
    registry,
    sent: (count) => {
      frames += count;
    },
  };
}
