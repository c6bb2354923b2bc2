import { Counter, Gauge, Registry } from '@runlog/service-kit/metrics';
import type { Hub } from './fan-out/hub.ts';

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
  const frames = new Counter({
    name: 'runlog_gateway_frames_total',
    help: 'Frames sent to clients',
    registers,
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
    sent: (count) => frames.inc(count),
  };
}
