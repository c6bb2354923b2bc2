import { feedStateOf } from '@runlog/run-feed/feed-health';
import type { FeedState } from '@runlog/schema/http/health';
import { type Clock, systemClock } from '@runlog/service-kit/clock';
import type { AnsweredHosts } from '@runlog/service-kit/http-server-hosts';
import type { ServedRoute } from '@runlog/service-kit/http-server-methods';
import type { NamedKeyRing } from '@runlog/service-kit/keys';
import { createLogger, type PinoLogger } from '@runlog/service-kit/logger';
import { accessBy } from '../access.ts';
import { Hub } from '../fan-out/hub.ts';
import { serveGateway } from '../http/gateway-server.ts';
import type { RunsAtHand } from '../read/runs-at-hand.ts';
import type { Connections } from '../send/connections.ts';
import { MadeUpHistory } from './made-up-history.ts';
import { type MadeUpEvent, MadeUpRuns } from './made-up-runs.ts';

/** The real server over runs that are made by hand, for tests. */
export interface MadeUpGateway extends AsyncDisposable {
  readonly url: string;
  readonly routes: readonly ServedRoute[];
  readonly runs: MadeUpRuns;
  readonly hub: Hub;
  readonly connections: Connections;
  isCaughtUp: boolean;
  /** Appends events of a run and hands out the changes. */
  append(key: string, events: readonly MadeUpEvent[]): void;
  retire(key: string): void;
  endStreams(): void;
  /** Has the log fall silent at that time, or answer again. */
  setStalled(sinceMs: number | null): void;
}

export async function startMadeUpGateway(
  options: {
    runs?: MadeUpRuns;
    port?: number;
    allowedOrigins?: readonly string[];
    answeredHosts?: AnsweredHosts;
    embedOrigins?: readonly string[];
    connectionsMax?: number;
    drainMs?: number;
    ingestUrl?: string;
    clock?: Clock;
    random?: () => number;
    logger?: PinoLogger;
    keys?: NamedKeyRing;
    /** That of `runs`, if nothing else is said. Null: nobody can read the past. */
    history?: RunsAtHand['history'];
    pastStates?: RunsAtHand['pastStates'];
  } = {},
): Promise<MadeUpGateway> {
  const runs = options.runs ?? new MadeUpRuns({ history: new MadeUpHistory() });
  const { history = runs.history, pastStates = null } = options;
  const clock = options.clock ?? systemClock;
  const hub = new Hub({ epoch: runs.epoch, states: runs.states, figures: runs.figures, clock });
  const gateway = { isCaughtUp: true };
  const feed = { state: feedStateOf(null), listeners: new Set<(state: FeedState) => void>() };
  const server = await serveGateway({
    at: { host: '127.0.0.1', port: options.port ?? 0 },
    allowedOrigins: options.allowedOrigins ?? [],
    answeredHosts: options.answeredHosts === undefined ? [] : options.answeredHosts,
    connectionsMax: options.connectionsMax ?? 10_000,
    drainMs: options.drainMs ?? 3_000,
    embedOrigins: options.embedOrigins ?? [],
    ingestUrl: () => options.ingestUrl ?? null,
    access: accessBy(options.keys ?? null, () => clock.now()),
    view: {
      hub: () => (gateway.isCaughtUp ? hub : null),
      runs: () =>
        gateway.isCaughtUp ? { states: runs.states, figures: runs.figures, history, pastStates } : null,
      notReadyBecause: () => (gateway.isCaughtUp ? null : 'made up'),
      state: () => feed.state,
      onState: (listener) => {
        feed.listeners.add(listener);
        return () => feed.listeners.delete(listener);
      },
      health: () => ({ ...feed.state, behind_records: feed.state.state === 'live' ? 0 : null }),
      unreadableBatches: () => 0,
      lastRecordMs: () => null,
    },
    clock,
    random: options.random ?? (() => 0.5),
    logger: options.logger ?? createLogger({ service: 'gateway', level: 'silent' }),
  });
  return Object.assign(gateway, {
    url: server.url,
    routes: server.routes,
    runs,
    hub,
    connections: server.connections,
    append: (key: string, events: readonly MadeUpEvent[]) => hub.apply([runs.append(key, events)]),
    retire: (key: string) => hub.apply([runs.retire(key)]),
    endStreams: () => server.connections.closeAll('server_error'),
    setStalled: (sinceMs: number | null) => {
      feed.state = feedStateOf(sinceMs);
      for (const listener of feed.listeners) listener(feed.state);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      hub.dispose();
    },
  });
}
