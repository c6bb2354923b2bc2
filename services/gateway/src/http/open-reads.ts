import type { Socket } from 'node:net';
import { HttpFault } from '@runlog/service-kit/http-server';

/**
 * The reads that the requests of one connection may have open. No client needs more than one; some of HTTP's send the next
 * request before the answer. Further ones would take the turns of everybody else. With as many as listeners of a socket, Node
 * would warn of a leak.
 */
const OPEN_MAX = 4;

/** Reads on behalf of clients, each of which knows when its client is gone. */
export class OpenReads {
  readonly #open = new WeakMap<Socket, number>();

  /**
   * Runs a read. `gone` aborts when the connection ends: an answer that waits behind others on it is not told. Throws
   * `overloaded` if the connection has too many open.
   */
  async of<Result>(socket: Socket, read: (gone: AbortSignal) => Promise<Result>): Promise<Result> {
    const open = this.#open.get(socket) ?? 0;
    if (open >= OPEN_MAX) throw new HttpFault('overloaded', 'too many reads on this connection');
    this.#open.set(socket, open + 1);
    const gone = new AbortController();
    const onClose = () => gone.abort();
    socket.once('close', onClose);
    if (socket.destroyed) onClose();
    try {
      return await read(gone.signal);
    } finally {
      socket.off('close', onClose);
      this.#open.set(socket, this.#open.get(socket)! - 1);
    }
  }
}
