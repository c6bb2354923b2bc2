import { type FastifyReply, HttpFault } from '@runlog/service-kit/http-server';
import { TopicIoError } from '@runlog/topic-io/topic-io';

/** Reads of the log on behalf of clients, of which only so many may run at the same time. */
export class LogReads {
  readonly #max: number;
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Runs a read whose signal aborts when the client goes. Throws `overloaded` if there are too many, and `log_unavailable`
   * if the log does not answer, for whatever reason: the snapshots that are held are still served.
   */
  async read<Result>(reply: FastifyReply, read: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#max) throw new HttpFault('overloaded', 'too many reads of history');
    const gone = new AbortController();
    const onClose = () => gone.abort();
    reply.raw.once('close', onClose);
    this.#running += 1;
    try {
      return await read(gone.signal);
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      throw new HttpFault('log_unavailable', `the log does not answer: ${error.message}`, { cause: error });
    } finally {
      this.#running -= 1;
      reply.raw.off('close', onClose);
    }
  }
}
