import { othersEventsAppeared } from '@runlog/run-feed/others-events';
import { openKeyFile } from '@runlog/service-kit/key-file';
import type { Running } from '@runlog/service-kit/lifecycle';
import type { ServiceStart } from '@runlog/service-kit/run-service';
import { accessBy } from './access.ts';
import type { GatewayConfig } from './config.ts';
import { serveGateway } from './http/gateway-server.ts';
import { Feed } from './read/feed.ts';

const STOP_MS_MAX = 2_000;

/**
 * Starts the gateway over a log that is already open. Rejects if it cannot listen. Disposing tells the clients, closes
 * their streams within `drainMs` and some seconds, and stops reading.
 */
export async function startGateway(
  options: ServiceStart<GatewayConfig> & {
    /** Returns the address of the ingest in the same process, once it listens. The configured one goes before it. */
    ingestUrl?: () => string | null;
  },
): Promise<Running> {
  const { config, logger, clock } = options;
  const stop = new AbortController();
  let caughtUp: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    caughtUp = resolve;
  });
  const feed = new Feed({
    ...{ config, logger, clock },
    io: options.io,
    newEpoch: options.newEpoch,
    signal: stop.signal,
    onReady: () => caughtUp(),
  });
  const keys = config.keysFile === undefined ? null : await openKeyFile({ path: config.keysFile, logger });
  const serving = serveGateway({
    at: { host: config.host, port: config.port },
    allowedOrigins: config.allowedOrigins,
    answeredHosts: config.answeredHosts,
    embedOrigins: config.embedOrigins,
    connectionsMax: config.connectionsMax,
    drainMs: config.drainMs,
    ingestUrl: () => config.ingestUrl ?? options.ingestUrl?.() ?? null,
    access: accessBy(keys, () => clock.now()),
    view: feed,
    clock,
    random: options.random,
    logger,
  });
  const server = await serving.catch(async (error: unknown) => {
    await keys?.[Symbol.asyncDispose]();
    throw error;
  });
  const reading = feed.run().catch((error: unknown) => {
    if (!stop.signal.aborted) options.fail(error);
  });
  const watching = othersEventsAppeared({
    ...{ io: options.io, topics: config.log.topics, sleep: clock.sleep, signal: stop.signal },
  }).then((refusal) => (refusal === null ? undefined : options.fail(refusal)), options.fail);
  return {
    addresses: { gateway: server.url },
    ready,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await keys?.[Symbol.asyncDispose]();
      stop.abort();
      // An operation of the log that is in progress cannot be aborted; it ends when the log is closed.
      const patience = new AbortController();
      await Promise.race([Promise.all([reading, watching]), clock.sleep(STOP_MS_MAX, patience.signal)]);
      patience.abort();
    },
  };
}
