import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { Sink } from './sink.ts';

/** A response of server-sent events. Each frame is the data of one event. */
export class SseSink implements Sink {
  readonly transport = 'sse';
  readonly peer: string;
  readonly #response: ServerResponse;
  readonly #idAfter: (frame: EncodedFrame) => string | null;
  readonly #socket: Socket;
  readonly #bytesBefore: number;

  /**
   * `socket` is that of the request: the response has none while it waits behind an earlier answer, and after its end.
   * `idAfter` is called with every frame that is sent, in order. It returns the id of the event: what the client shows
   * to go on from there, empty if it must begin anew, or null if that does not change.
   */
  constructor(
    response: ServerResponse,
    of: { socket: Socket; idAfter: (frame: EncodedFrame) => string | null },
  ) {
    const { socket } = of;
    this.#response = response;
    this.#idAfter = of.idAfter;
    this.#socket = socket;
    this.peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#bytesBefore = socket.bytesWritten;
  }

  get bufferedBytes(): number {
    return this.#response.writableLength;
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten - this.#bytesBefore;
  }

  pack(frame: EncodedFrame, waiting: Buffer[]): number {
    const id = this.#idAfter(frame);
    const event = Buffer.from(id === null ? `data: ${frame.text}\n\n` : `id: ${id}\ndata: ${frame.text}\n\n`);
    waiting.push(event);
    return event.length;
  }

  send(packed: readonly Buffer[], written: () => void): void {
    this.#response.write(packed.length === 1 ? packed[0] : Buffer.concat(packed), written);
  }

  /** A client of server-sent events sends nothing after its request. */
  pause(): void {}

  resume(): void {}

  /** It cannot answer either. One that is gone is noticed because it no longer takes what is sent. */
  ping(): boolean {
    return false;
  }

  comeBackAfter(ms: number): void {
    if (!this.#response.writableEnded) this.#response.write(`retry: ${Math.round(ms)}\n\n`);
  }

  close(): void {
    this.#response.end();
  }

  cut(): void {
    this.#socket.destroy();
  }
}
