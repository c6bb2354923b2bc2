import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type CloseReason, closeCodes } from '@runlog/schema/stream/close-codes';
import { WebSocket, WebSocketServer } from 'ws';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Sink } from './sink.ts';
import { openTextFrame, textFrame } from './text-frame.ts';

/** Above this, it is cheaper to hand several buffers to the operating system than to join them. */
const JOINED_BYTES_MAX = 16 * 1024;
const SEND_OPTIONS = { binary: false, compress: false } as const;

/**
 * A WebSocket. Frames are written past `ws`, straight into its stream: their bytes are the same for all clients, so they
 * are made once, and those of one tick go out in one write. `ws` reads, answers pings and closes. It writes a frame of its
 * own as a whole and at once, because it does not compress, so none of them can come in between.
 */
export class SocketSink implements Sink {
  readonly transport = 'websocket';
  readonly peer: string;
  readonly #socket: WebSocket;
  readonly #stream: Socket;

  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
    this.peer = `${stream.remoteAddress}:${stream.remotePort}`;
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  get bytesWritten(): number {
    return this.#stream.bytesWritten;
  }

  pack(frame: EncodedFrame, waiting: Buffer[]): number {
    if (!isWrittenDirectly) {
      const text = Buffer.from(frame.text);
      waiting.push(text);
      return text.length;
    }
    if (frame.parts !== undefined) {
      const { head, end } = frame.parts;
      const { bytes } = end;
      const begin = openTextFrame(head, bytes.length);
      waiting.push(begin, bytes);
      return begin.length + bytes.length;
    }
    frame.wire ??= textFrame(frame.text);
    waiting.push(frame.wire);
    return frame.wire.length;
  }

  send(packed: readonly Buffer[], written: () => void): void {
    // After a frame that closes, no other may follow.
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (!isWrittenDirectly) {
      for (const text of packed) this.#socket.send(text, SEND_OPTIONS, written);
    } else if (packed.length === 1) this.#stream.write(packed[0]!, written);
    else this.#writeAll(packed, written);
  }

  #writeAll(packed: readonly Buffer[], written: () => void): void {
    const joined = joinedOf(packed);
    if (joined !== null) {
      this.#stream.write(joined, written);
      return;
    }
    this.#stream.cork();
    const last = packed.length - 1;
    for (let at = 0; at < last; at += 1) this.#stream.write(packed[at]!);
    this.#stream.write(packed[last]!, written);
    this.#stream.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  ping(): boolean {
    this.#socket.ping();
    return true;
  }

  /** The first frame names the window in which clients come back. */
  comeBackAfter(): void {}

  close(reason: CloseReason): void {
    this.#socket.close(closeCodes[reason].close, reason);
  }

  cut(): void {
    // `ws` says that a socket is closed only when its own parser is done, which must not be relied upon here.
    this.#socket.terminate();
    this.#stream.destroy();
  }
}

/** What was joined last. Clients with the same subscriptions get the same frames one after the other. */
let lastJoined: { readonly packed: readonly Buffer[]; readonly joined: Buffer } | null = null;

/** Returns the buffers as one, or null if together they are too large for that. */
function joinedOf(packed: readonly Buffer[]): Buffer | null {
  if (lastJoined !== null && isSame(lastJoined.packed, packed)) return lastJoined.joined;
  let bytes = 0;
  for (const buffer of packed) bytes += buffer.length;
  if (bytes > JOINED_BYTES_MAX) return null;
  const joined = Buffer.concat(packed, bytes);
  lastJoined = { packed, joined };
  return joined;
}

function isSame(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return false;
  return true;
}

/** Whether frames may be written past `ws`. If its frames were not the same bytes, it would write them itself. */
export const isWrittenDirectly = agreesWithWs();

/** Whether `ws`, over a stream that only remembers, writes the very bytes that we would, at once and without anything else. */
function agreesWithWs(): boolean {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  const request = {
    method: 'GET',
    url: '/',
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    },
  };
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
  let agrees = false;
  server.handleUpgrade(request as unknown as IncomingMessage, stream, Buffer.alloc(0), (socket) => {
    agrees = ['a', 'é'.repeat(100), 'x'.repeat(125), 'x'.repeat(126), '☃'.repeat(30_000)].every((text) => {
      written.length = 0;
      socket.send(text, SEND_OPTIONS);
      return Buffer.concat(written).equals(textFrame(text));
    });
    socket.terminate();
  });
  server.close();
  return agrees;
}
