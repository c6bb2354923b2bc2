import type { SocketLike } from '@runlog/client/socket-link';
import { closeCodes } from '@runlog/schema/stream/close-codes';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Connection, connection as current, openConnection } from './connection.ts';
import type { KeyStore } from './view-key.ts';

const SERVER_MS = Date.UTC(2026, 10, 27, 7, 12, 38);

/** A socket of which the test is the server. */
class MadeUpSocket implements SocketLike {
  static all: MadeUpSocket[] = [];
  readonly #listeners = new Map<string, ((event: never) => void)[]>();
  readonly url: string;
  readonly sent: string[] = [];

  constructor(url: string) {
    this.url = url;
    MadeUpSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {}
  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }
  say(frame: object): void {
    this.#tell('message', { data: JSON.stringify(frame) });
  }
  open(): void {
    this.#tell('open', {});
    const reconnect = { min_ms: 8_000, max_ms: 8_000 };
    this.say({ hello: { server: 'runlog/1', heartbeat_ms: 25_000, reconnect } });
  }
  end(code: number, reason = ''): void {
    this.#tell('close', { code, reason });
  }
  #tell(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}
const socket = () => MadeUpSocket.all.at(-1)!;

let connection: Connection;
let store: Map<string, string>;
let monotonicMs: number;
let reloads: number;
/** What `GET v1/hello` answers, or null if nobody does. */
let hello: { status: number; body: unknown } | null;
let asked: { url: string; headers: Headers }[];

function start(): Connection {
  const keys: KeyStore = {
    getItem: (name) => store.get(name) ?? null,
    setItem: (name, value) => void store.set(name, value),
    removeItem: (name) => void store.delete(name),
  };
  connection = openConnection({
    url: 'http://gateway/path/',
    origin: 'http://gateway',
    store: keys,
    monotonicMs: () => monotonicMs,
    fetch: async (url, init) => {
      asked.push({ url: String(url), headers: new Headers(init?.headers) });
      if (hello === null) throw new TypeError('nobody answers');
      return new Response(JSON.stringify(hello.body), { status: hello.status });
    },
    reload: () => {
      reloads += 1;
    },
    webSocket: MadeUpSocket,
  });
  return connection;
}

const settled = () => vi.advanceTimersByTimeAsync(0);
function pass(ms: number): Promise<unknown> {
  monotonicMs += ms;
  return vi.advanceTimersByTimeAsync(ms);
}

beforeEach(() => {
  vi.useFakeTimers();
  MadeUpSocket.all = [];
  store = new Map();
  monotonicMs = 1_000;
  reloads = 0;
  asked = [];
  hello = {
    status: 200,
    body: { server: 'runlog/1', now: new Date(SERVER_MS).toISOString(), ingest_url: 'http://in' },
  };
});
afterEach(() => {
  connection.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the connection of the page', () => {
  it('opens one stream below the path of the page, and is the one that everybody gets', () => {
    start();
    expect(current()).toBe(connection);
    expect(MadeUpSocket.all.map(({ url }) => url)).toEqual(['ws://gateway/path/v1/stream']);
    expect(connection.link.value).toEqual({ state: 'connecting' });
    expect(connection.hasOpened.value).toBe(false);
    socket().open();
    expect(connection.link.value).toEqual({ state: 'open' });
    expect(connection.hasOpened.value).toBe(true);
  });

  it('learns the time of the server, and where events are sent', async () => {
    start();
    await settled();
    expect(asked[0]!.url).toBe('http://gateway/path/v1/hello?origin=http%3A%2F%2Fgateway');
    expect(connection.hello.value).toEqual({ ingestUrl: 'http://in' });
    expect(connection.clock.at()).toBeCloseTo(SERVER_MS, -1);
    socket().open();
    await settled();
    for (let second = 0; second < 60; second += 20) {
      await pass(20_000);
      socket().say({ tips: {} });
    }
    // At the start, with the connection, and each minute.
    expect(asked).toHaveLength(3);
  });

  it('asks a gateway that fell silent, and says since when it has not answered, also once the connection is lost', async () => {
    start();
    await settled();
    socket().open();
    const seconds = async (count: number) => {
      for (let second = 0; second < count; second += 1) await pass(1_000);
    };
    const pings = () => socket().sent.filter((text) => text.includes('ping')).length;
    await seconds(7);
    expect(pings()).toBe(1);
    socket().say({ pong: true, id: 1 });
    await seconds(7);
    expect([pings(), connection.silentMs.value, connection.unknownSinceMs.value]).toEqual([2, 0, null]);
    await seconds(2);
    expect(connection.silentMs.value).toBe(9_000);
    expect(connection.unknownSinceMs.value).toBeCloseTo(SERVER_MS + 7_000, -2);
    socket().say({ tips: {} });
    expect([connection.silentMs.value, connection.unknownSinceMs.value]).toEqual([0, null]);
    await seconds(35);
    expect(connection.link.value.state).toBe('waiting');
    expect(connection.silentMs.value).toBe(0);
    expect(connection.unknownSinceMs.value).toBeCloseTo(SERVER_MS + 16_000, -2);
  });

  it('counts down to its next attempt, and does not wait if it is told', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    start();
    socket().open();
    socket().end(1_006);
    expect(connection.link.value).toEqual({ state: 'waiting', retryAtMs: 5_000 });
    connection.reconnectNow();
    expect(connection.link.value).toEqual({ state: 'connecting' });
    expect(MadeUpSocket.all).toHaveLength(2);
    vi.restoreAllMocks();
  });

  it('says that nobody answers until somebody does, and not that of a connection that was lost', () => {
    start();
    expect(connection.isAway.value).toBe(false);
    socket().end(1_006);
    expect(connection.isAway.value).toBe(true);
    connection.reconnectNow();
    expect(connection.isAway.value).toBe(true);
    socket().open();
    expect(connection.isAway.value).toBe(false);
    socket().end(1_006);
    expect(connection.isAway.value).toBe(false);
  });

  it('says since when nothing is known: since it was lost, or since the log does not answer', async () => {
    start();
    await settled();
    expect(connection.unknownSinceMs.value).toBeNull();
    socket().open();
    await pass(5_000);
    socket().end(1_006);
    const lostMs = connection.unknownSinceMs.value!;
    expect(lostMs).toBeCloseTo(SERVER_MS + 5_000, -1);
    connection.reconnectNow();
    expect(connection.unknownSinceMs.value).toBe(lostMs);
    socket().open();
    expect(connection.unknownSinceMs.value).toBeNull();
    socket().say({ feed: { state: 'stalled', since: '2026-11-27T07:32:00.000Z' } });
    expect(connection.unknownSinceMs.value).toBe(Date.UTC(2026, 10, 27, 7, 32));
    socket().say({ feed: { state: 'live' } });
    expect(connection.unknownSinceMs.value).toBeNull();
  });

  it('says why its origin is refused, until it no longer is', async () => {
    hello = {
      status: 403,
      body: { error: { code: 'forbidden', message: 'name it in RUNLOG_ALLOWED_ORIGINS' } },
    };
    start();
    await settled();
    expect(connection.refusedOrigin.value).toBe('name it in RUNLOG_ALLOWED_ORIGINS');
    hello = { status: 200, body: {} };
    socket().end(1_006);
    await settled();
    expect(connection.refusedOrigin.value).toBeNull();
  });
});

describe('a key', () => {
  it('goes with the stream and with what is asked', async () => {
    store.set('runlog-key', 'secret');
    start();
    socket().open();
    expect(JSON.parse(socket().sent[0]!)).toEqual({ id: 0, auth: 'secret' });
    expect(
      await connection.ask('v1/runs', { query: { limit: 1, status: ['failed', 'quiet'] } }),
    ).toMatchObject({
      kind: 'ok',
    });
    expect(asked.at(-1)!.url).toBe('http://gateway/path/v1/runs?limit=1&status=failed&status=quiet');
    expect(asked.at(-1)!.headers.get('authorization')).toBe('Bearer secret');
  });

  it.each([
    ['refused', closeCodes.bad_key.close],
    ['missing', closeCodes.no_auth.close],
  ])('is %s when the stream is closed with %d', (why, code) => {
    store.set('runlog-key', 'secret');
    start();
    socket().open();
    socket().end(code);
    expect(connection.keyWanted.value).toBe(why);
    expect(store.has('runlog-key')).toBe(why === 'missing');
  });

  it('is wanted when an answer or a channel says so', async () => {
    hello = { status: 401, body: { error: { code: 'unauthorized', message: 'a key, please' } } };
    start();
    const answer = await connection.ask('v1/runs');
    expect(answer).toEqual({ kind: 'refused', status: 401, code: 'unauthorized', message: 'a key, please' });
    expect(connection.keyWanted.value).toBe('missing');
    store.set('runlog-key', 'old');
    start().noteRefusal('unauthorized');
    expect(connection.keyWanted.value).toBe('refused');
    expect(store.size).toBe(0);
    start().noteRefusal('forbidden');
    expect(connection.keyWanted.value).toBeNull();
  });

  it('starts the page over', () => {
    start().useKey('secret');
    expect(store.get('runlog-key')).toBe('secret');
    expect(reloads).toBe(1);
  });
});

describe('what is asked', () => {
  it('is away when nobody answers, or not in JSON', async () => {
    start();
    hello = null;
    expect(await connection.ask('v1/runs')).toEqual({ kind: 'away' });
  });

  it('is refused by a proxy in its own words', async () => {
    start();
    hello = { status: 502, body: 'bad gateway' };
    expect(await connection.ask('v1/runs')).toMatchObject({ kind: 'refused', status: 502, code: 'http' });
  });
});
