import type { Socket } from 'node:net';
import { type CloseReason, closeCodes } from '@runlog/schema/stream/close-codes';
import type { WebSocket } from 'ws';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Sink } from './sink.ts';

const SEND_OPTIONS = { binary: false, compress: false } as const;

/** A WebSocket. Its messages are frames, separated by newlines. */
export class SocketSink implements Sink {
  readonly transport = 'websocket';
  readonly separator = '\n';
  readonly peer: string;
  readonly #socket: WebSocket;
  readonly #stream: Socket;

  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
    this.peer = `${stream.remoteAddress}:${stream.remotePort}`;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get bytesWritten(): number {
    return this.#stream.bytesWritten;
  }

  textOf(frame: EncodedFrame): string {
    return frame.text;
  }

  send(message: string, written: () => void): void {
    this.#socket.send(message, SEND_OPTIONS, written);
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
