import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyReply, HttpFault } from '@runlog/service-kit/http-server';

/**
 * The reads that the requests of one connection may have open. No client needs more than one; some of HTTP's send the next
 * request before the answer. Further ones would take the turns of everybody else. With as many as listeners of a socket, Node
 * would warn of a leak.
 */
const OPEN_MAX = 4;

/** A read that goes on for so long after its client ended its side costs enough to ask whether anybody waits for it. */
const ASK_EVERY_MS = 500;
/** The system notices only at a later one that the first was answered by a reset. Some clients bear no more than five. */
const ASKED_MAX = 4;

/** Reads on behalf of clients, each of which knows when its client is gone. */
export class OpenReads {
  readonly #open = new WeakMap<Socket, number>();

  /**
   * Runs a read. `gone` aborts when the connection ends: an answer that waits behind others on it is not told. Throws
   * `overloaded` if the connection has too many open.
   */
  async of<Result>(
    { raw: response }: Pick<FastifyReply, 'raw'>,
    read: (gone: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { socket } = response.req;
    const open = this.#open.get(socket) ?? 0;
    if (open >= OPEN_MAX) throw new HttpFault('overloaded', 'too many reads on this connection');
    this.#open.set(socket, open + 1);
    const gone = new AbortController();
    const onClose = () => gone.abort();
    socket.once('close', onClose);
    if (socket.destroyed) onClose();
    const stopAsking = askOnceEnded(socket, response);
    try {
      return await read(gone.signal);
    } finally {
      stopAsking();
      socket.off('close', onClose);
      this.#open.set(socket, this.#open.get(socket)! - 1);
    }
  }
}

/**
 * A client that ended its side may wait for its answer, or be gone: both look the same. What is sent tells them apart,
 * because the system of one that is gone resets the connection. HTTP/1.1 has clients pass over "100 Continue".
 */
function askOnceEnded(socket: Socket, response: ServerResponse): () => void {
  let timer: NodeJS.Timeout | undefined;
  let asked = 0;
  const ask = () => {
    if (response.headersSent || asked === ASKED_MAX) return clearInterval(timer);
    asked += 1;
    response.writeContinue();
  };
  const onEnd = () => {
    if (response.req.httpVersion === '1.1') timer = setInterval(ask, ASK_EVERY_MS);
  };
  if (socket.readableEnded) onEnd();
  else socket.once('end', onEnd);
  return () => {
    socket.off('end', onEnd);
    clearInterval(timer);
  };
}
