import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { answerTo, type EncodedFrame, encoded, SharedEnd } from '../fan-out/encoded-frame.ts';
import { isWrittenDirectly, SocketSink } from './socket-sink.ts';

/** A real connection: the sink on our side, and a stock client on the other. They are made one after the other. */
interface Connected {
  readonly sink: SocketSink;
  readonly client: WebSocket;
  readonly got: string[];
  readonly closes: number[];
  readonly written: () => number;
  send(...frames: readonly EncodedFrame[]): number;
}

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
const open = new Set<WebSocket>();

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  sockets.close();
  server.close();
});
afterEach(() => {
  for (const socket of open) socket.terminate();
  open.clear();
});

async function connect(): Promise<Connected> {
  const accepted = once(sockets, 'connection') as Promise<[WebSocket, { socket: Socket }]>;
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const got: string[] = [];
  const closes: number[] = [];
  client.on('message', (data: Buffer) => got.push(data.toString()));
  client.on('close', (code) => closes.push(code));
  const [[socket, request]] = await Promise.all([accepted, once(client, 'open')]);
  open.add(client).add(socket);
  const sink = new SocketSink(socket, request.socket);
  let written = 0;
  return {
    ...{ sink, client, got, closes },
    written: () => written,
    send(...frames) {
      const waiting: Buffer[] = [];
      const bytes = frames.reduce((sum, frame) => sum + sink.pack(frame, waiting), 0);
      sink.send(waiting, () => {
        written += 1;
      });
      return bytes;
    },
  };
}

describe('the sink of a WebSocket', () => {
  it('writes past ws, because its frames are the same bytes', () => {
    expect(isWrittenDirectly).toBe(true);
  });

  it('is understood by a stock client, whatever the length of a frame', async () => {
    const { send, got } = await connect();
    const texts = [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 300_000].map((length) =>
      'é'.padEnd(length, 'x'),
    );
    for (const text of texts) send(encoded(text));
    await expect.poll(() => got).toEqual(texts);
  });

  it.each([
    ['few', 2, 10],
    ['many', 100, 50],
    ['large', 4, 40_000],
  ])('writes %s frames in one go, in order, each as a message', async (_, count, length) => {
    const { send, got, written } = await connect();
    const texts = Array.from({ length: count }, (_frame, at) => `${at} ${'ü'.repeat(length)}`);
    send(...texts.map((text) => encoded(text)));
    await expect.poll(() => got).toEqual(texts);
    expect(written()).toBe(1);
  });

  it('gives every client what was packed for it, when their frames are nearly the same', async () => {
    const clients = [await connect(), await connect(), await connect()];
    const shared = ['a', 'b', 'c'].map((text) => encoded(text));
    for (const [at, client] of clients.entries()) client.send(...shared.slice(0, at + 1));
    for (const [at, { got }] of clients.entries()) {
      await expect.poll(() => got).toEqual(['a', 'b', 'c'].slice(0, at + 1));
    }
  });

  it('sends an answer that many share under the id of each', async () => {
    const first = await connect();
    const second = await connect();
    for (const filler of ['', 'ß'.repeat(50), 'ß'.repeat(100_000)]) {
      const end = new SharedEnd(JSON.stringify({ ch: 'run:a', filler }));
      first.send(encoded('before'), answerTo(1, end), encoded('after'));
      second.send(answerTo(1_000_000, end));
      const answer = (id: number) => JSON.stringify({ id, ch: 'run:a', filler });
      await expect.poll(() => first.got).toEqual(['before', answer(1), 'after']);
      await expect.poll(() => second.got).toEqual([answer(1_000_000)]);
      for (const { got } of [first, second]) got.length = 0;
    }
  });

  it('encodes a frame once for all connections', async () => {
    const one = await connect();
    const other = await connect();
    const frame = encoded('shared');
    const [ofOne, ofOther]: [Buffer[], Buffer[]] = [[], []];
    one.sink.pack(frame, ofOne);
    other.sink.pack(frame, ofOther);
    expect(ofOther[0]).toBe(ofOne[0]);
  });

  it('lets pings and the close of ws in between its frames, and sends nothing after the close', async () => {
    const { sink, client, send, got, closes } = await connect();
    let pings = 0;
    client.on('ping', () => {
      pings += 1;
    });
    send(encoded('1'));
    sink.ping();
    send(encoded('2'), encoded('3'));
    sink.close('draining');
    send(encoded('4'));
    await expect.poll(() => closes).toEqual([4001]);
    expect(got).toEqual(['1', '2', '3']);
    expect(pings).toBe(1);
  });

  it('counts the bytes that the operating system has not taken, and says when it has', async () => {
    const { sink, client, send, got, written } = await connect();
    client.pause();
    const large = encoded('x'.repeat(1_000_000));
    let sent = 0;
    // The buffers of both sides take some megabytes.
    while (sink.bufferedBytes === 0 || sent < 20_000_000) sent += send(large);
    expect(sent).toBeGreaterThan(sink.bufferedBytes);
    const before = written();
    const held = sink.bufferedBytes;
    client.resume();
    await expect.poll(() => got.length).toBe(sent / 1_000_010);
    expect(sink.bufferedBytes).toBe(0);
    expect(held).toBeGreaterThan(0);
    expect(written()).toBeGreaterThan(before);
  });
});
