import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import {
  createStreamClient,
  type FeedState,
  type StreamClient,
  type StreamClientOptions,
  type StreamStatus,
} from '@runlog/client/stream-client';
import type { HttpFaultBody } from '@runlog/schema/faults';
import type { Hello as HelloAnswer } from '@runlog/schema/http/gateway-api';
import { closeCodes } from '@runlog/schema/stream/close-codes';
import { type Answer, type AskOptions, ask } from './ask.ts';
import { createServerClock, type ServerClock, serverTimeIn } from './server-clock.ts';
import { forgetKey, type KeyStore, storedKey, storeKey } from './view-key.ts';

/** A page that was away for longer shows what is missing as a gap; whoever wants it can have it fetched. */
const BACKFILL_ENTRIES_MAX = 5_000;
const HELLO_MS_MAX = 10_000;

/** The state of the one connection. */
export type LinkStatus =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /** The next attempt comes at this time of the monotonic clock, in milliseconds. */
  | { readonly state: 'waiting'; readonly retryAtMs: number }
  /** The server refused for good. */
  | { readonly state: 'stopped'; readonly code: number; readonly reason: string }
  | { readonly state: 'closed' };

/** What the gateway says about itself. */
export interface Hello {
  /** Where events are sent to; null if the gateway does not know. */
  readonly ingestUrl: string | null;
}

/** Everything between the page and its gateway. There is one, which `connection()` returns. */
export interface Connection {
  /** The one client. All views share its connection. */
  readonly client: StreamClient;
  readonly clock: ServerClock;
  readonly link: ReadonlySignal<LinkStatus>;
  /** Whether the gateway reads the log. */
  readonly feed: ReadonlySignal<FeedState>;
  /** For how long, in milliseconds, the gateway has not answered, although the connection is open; 0 if it does. */
  readonly silentMs: ReadonlySignal<number>;
  /**
   * Since when nothing that is shown is known to hold, in milliseconds by the server's clock; null while it is known. NaN if
   * the server's time was not known either.
   */
  readonly unknownSinceMs: ReadonlySignal<number | null>;
  /** Whether the gateway was ever reached. */
  readonly hasOpened: ReadonlySignal<boolean>;
  /** Whether the first attempts have failed: there is nothing to show yet. */
  readonly isAway: ReadonlySignal<boolean>;
  /** Null until the gateway has answered. */
  readonly hello: ReadonlySignal<Hello | null>;
  /** Why the gateway streams nothing to pages of this origin, and what to set; null if it does, or has not said. */
  readonly refusedOrigin: ReadonlySignal<string | null>;
  /** Why the page must ask for a key; null if it need not. While it is not null, nothing of the runs may be shown. */
  readonly keyWanted: ReadonlySignal<'missing' | 'refused' | null>;
  /** The time of the monotonic clock, in milliseconds. */
  monotonicMs(): number;
  /** Asks the gateway for `path`, such as `v1/runs`. It never rejects. */
  ask<Body>(path: string, options?: AskOptions): Promise<Answer<Body>>;
  /** Makes another client, for a subscription that the one client has with other options. Whoever calls it closes it. */
  secondClient(): StreamClient;
  /** Tries to connect without waiting any longer. */
  reconnectNow(): void;
  /** Starts over with the key. Nothing that another key showed stays in the page. */
  useKey(key: string): void;
  /** Is told that a stream refused to show something: without a key, the page asks for one. */
  noteRefusal(code: string): void;
  close(): void;
}

/** What a connection needs of the browser. */
export interface ConnectionWorld {
  /** The page's own address, with the `/` at its end. */
  readonly url: string;
  readonly origin: string;
  readonly store: KeyStore | null;
  readonly monotonicMs: () => number;
  readonly fetch: typeof fetch;
  readonly reload: () => void;
  readonly webSocket?: StreamClientOptions['webSocket'];
}

let opened: Connection | null = null;

/** The connection of the page. Throws before `openConnection`. */
export function connection(): Connection {
  if (opened === null) throw new Error('the page has not opened its connection yet');
  return opened;
}

/** Connects the page with its gateway. */
export function openConnection(world: ConnectionWorld): Connection {
  opened?.close();
  opened = connect(world);
  return opened;
}

function connect(world: ConnectionWorld): Connection {
  const key = storedKey(world.store);
  const link = signal<LinkStatus>({ state: 'connecting' });
  const feed = signal<FeedState>({ state: 'live' });
  const silentMs = signal(0);
  const hasOpened = signal(false);
  const isAway = signal(false);
  const lostAtMs = signal<number | null>(null);
  const hello = signal<Hello | null>(null);
  const refusedOrigin = signal<string | null>(null);
  const keyWanted = signal<'missing' | 'refused' | null>(null);

  const clock = createServerClock({ monotonicMs: world.monotonicMs, measure: () => void sayHello() });
  let isAsking = false;
  /** Learns the server's clock, and why it will refuse the stream, which the browser does not tell a page. */
  async function sayHello(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    try {
      const sentMs = world.monotonicMs();
      // The browser's fetch may not be called as a method of something else.
      const { fetch } = world;
      const response = await fetch(`${world.url}v1/hello?${new URLSearchParams({ origin: world.origin })}`, {
        signal: AbortSignal.timeout(HELLO_MS_MAX),
      });
      const answeredMs = world.monotonicMs();
      const body = (await response.json().catch(() => null)) as Partial<HelloAnswer & HttpFaultBody> | null;
      const time = serverTimeIn({ now: body?.now, date: response.headers.get('date') });
      batch(() => {
        if (time !== null) clock.learn({ sentMs, answeredMs, ...time });
        refusedOrigin.value = response.status === 403 ? (body?.error?.message ?? 'refused') : null;
        if (response.ok) {
          hello.value = { ingestUrl: body?.ingest_url ?? null };
        }
      });
    } catch {
      // The link says that nobody answers.
    } finally {
      isAsking = false;
    }
  }

  const wantKey = (why: 'missing' | 'refused') => {
    if (keyWanted.peek() !== null) return;
    if (why === 'refused') forgetKey(world.store);
    keyWanted.value = why;
  };
  const refuse = () => wantKey(key === undefined ? 'missing' : 'refused');

  const note = (status: StreamStatus) => {
    batch(() => {
      const wasOpen = link.peek().state === 'open';
      link.value = linkOf(status, world.monotonicMs());
      // A gateway says right after it has greeted if the log does not answer it.
      feed.value = { state: 'live' };
      silentMs.value = 0;
      if (status.state === 'open') {
        hasOpened.value = true;
        isAway.value = false;
        lostAtMs.value = null;
      } else if (wasOpen) {
        lostAtMs.value ??= clock.at() ?? Number.NaN;
      } else if (status.state === 'waiting') {
        isAway.value = !hasOpened.peek();
      }
      if (status.state === 'stopped') {
        if (status.code === closeCodes.bad_key.close) wantKey('refused');
        else if (status.code === closeCodes.no_auth.close) wantKey('missing');
      }
    });
    // The first hello goes out before the stream; a clock may have jumped since the last one.
    if (status.state !== 'connecting' && status.state !== 'closed') void sayHello();
  };

  const noteSilence = (ms: number) => {
    batch(() => {
      silentMs.value = ms;
      if (ms === 0) lostAtMs.value = null;
      else lostAtMs.value ??= (clock.at() ?? Number.NaN) - ms;
    });
  };

  const clientOptions = {
    ...(key === undefined ? {} : { key }),
    ...(world.webSocket === undefined ? {} : { webSocket: world.webSocket }),
    url: world.url,
    backfill: { entriesMax: BACKFILL_ENTRIES_MAX },
  };
  void sayHello();
  const client = createStreamClient({
    ...clientOptions,
    onStatus: note,
    onFeed: (state) => {
      feed.value = state;
    },
    onSilence: noteSilence,
  });

  return {
    ...{ client, clock, link, feed, silentMs, hasOpened, isAway, hello, refusedOrigin, keyWanted },
    unknownSinceMs: computed(() =>
      lostAtMs.value !== null
        ? lostAtMs.value
        : feed.value.state === 'stalled'
          ? Date.parse(feed.value.since)
          : null,
    ),
    monotonicMs: () => world.monotonicMs(),
    async ask<Body>(path: string, options: AskOptions = {}) {
      const { url, fetch } = world;
      const answer = await ask<Body>(path, { ...options, url, key, fetch });
      if (answer.kind === 'refused' && answer.status === 401) refuse();
      return answer;
    },
    secondClient: () => createStreamClient(clientOptions),
    reconnectNow: () => client.reconnectNow(),
    useKey(entered) {
      storeKey(world.store, entered);
      world.reload();
    },
    noteRefusal(code) {
      if (code === 'unauthorized') refuse();
    },
    close() {
      client.close();
      clock[Symbol.dispose]();
    },
  };
}

function linkOf(status: StreamStatus, nowMs: number): LinkStatus {
  return status.state === 'waiting' ? { state: 'waiting', retryAtMs: nowMs + status.retryInMs } : status;
}
