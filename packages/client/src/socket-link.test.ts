import { ABNORMAL_CLOSE, closeCodes } from '@runlog/schema/stream/close-codes';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect } from './socket-link.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A socket whose events are the test's. */
class FakeSocket extends EventTarget {
  static newest: FakeSocket;
  isClosed = false;
  readyState = 1;
  readonly sent: string[] = [];

  constructor() {
    super();
    FakeSocket.newest = this;
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }

  fire(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

function open() {
  const closes: number[] = [];
  const frames: unknown[] = [];
  const link = connect({
    ...{ url: 'ws://x/v1/stream', protocol: 'x', webSocket: FakeSocket as never, onOpen: () => undefined },
    onFrame: (frame) => {
      frames.push(frame);
    },
    onClose: ({ code }) => closes.push(code),
  });
  return { link, socket: FakeSocket.newest, closes, frames };
}

describe('a connection', () => {
  it('that fails without a close, as in Node 22, is over', () => {
    const { socket, closes } = open();
    socket.fire('error');
    vi.advanceTimersByTime(1_000);
    expect(closes).toEqual([ABNORMAL_CLOSE]);
  });

  it('has the code of the close that follows an error', () => {
    const { socket, closes } = open();
    socket.fire('error');
    socket.fire('close', { code: closeCodes.bad_key.close, reason: '' });
    vi.advanceTimersByTime(60_000);
    expect(closes).toEqual([closeCodes.bad_key.close]);
  });

  it.each(['null', '5', '[]', '{"hello":null}', '{"tips":5}', '{"ch":7}', '{"ch":"x","snapshot":{}}', '{'])(
    'ends once, and throws nothing, when it receives %s',
    (data) => {
      const { socket, closes, frames } = open();
      socket.fire('message', { data: `{"pong":true,"id":1}\n${data}\n{"pong":true,"id":2}` });
      socket.fire('message', { data: '{"pong":true,"id":3}' });
      socket.fire('close', { code: closeCodes.draining.close, reason: '' });
      expect(closes).toEqual([ABNORMAL_CLOSE]);
      expect(socket.isClosed).toBe(true);
      expect(frames).toEqual([{ pong: true, id: 1 }]);
    },
  );

  it('sends nothing once its socket closes, although that takes a while', () => {
    const { link, socket } = open();
    link.send({ id: 1, ping: true });
    socket.readyState = 2;
    link.send({ id: 2, ping: true });
    expect(socket.sent).toEqual(['{"id":1,"ping":true}']);
  });

  it('ignores fields and frames that it does not know', () => {
    const { socket, closes, frames } = open();
    const sent = [
      { news: 1 },
      {},
      { hello: { heartbeat_ms: 1, reconnect: { min_ms: 1, max_ms: 2 }, more: [] } },
    ];
    socket.fire('message', { data: sent.map((frame) => JSON.stringify(frame)).join('\n') });
    expect(frames).toEqual(sent);
    expect(closes).toEqual([]);
  });
});
