import type { Clock } from '@runlog/service-kit/clock';
import { type FastifyReply, HttpFault } from '@runlog/service-kit/http-server';
import { TopicIoError } from '@runlog/topic-io/topic-io';

/** How long a read waits for its turn. Clients wait longer than that for an answer. */
export const TURN_MS_MAX = 10_000;

/**
 * Reads of the log on behalf of clients, of which only so many may run at the same time. Others wait for their turn, in the
 * order in which they came: after a restart every client asks for what it missed at the same moment.
 */
export class LogReads {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #max: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  /** `waitingMax`: the reads that may wait. Further ones are refused. */
  constructor(options: { clock: Pick<Clock, 'after'>; max: number; waitingMax: number }) {
    this.#clock = options.clock;
    this.#max = options.max;
    this.#waitingMax = options.waitingMax;
  }

  /**
   * Runs a read whose signal aborts when the client goes. Throws `overloaded` if it does not get its turn, and
   * `log_unavailable` if the log does not answer, for whatever reason: the snapshots that are held are still served.
   */
  async read<Result>(reply: FastifyReply, read: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    reply.raw.once('close', onClose);
    try {
      await this.#turn(gone.signal);
      try {
        return await read(gone.signal);
      } finally {
        this.#next();
      }
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      throw new HttpFault('log_unavailable', `the log does not answer: ${error.message}`, { cause: error });
    } finally {
      reply.raw.off('close', onClose);
    }
  }

  /** Resolves when the read may run. Whoever resolves it has counted it as running. */
  async #turn(gone: AbortSignal): Promise<void> {
    if (this.#running < this.#max) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax) throw overloaded();
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(begin);
        cancel();
        gone.removeEventListener('abort', giveUp);
      };
      const begin = () => {
        leave();
        resolve();
      };
      const giveUp = () => {
        leave();
        reject(overloaded());
      };
      const cancel = this.#clock.after(TURN_MS_MAX, giveUp);
      gone.addEventListener('abort', giveUp);
      this.#waiting.add(begin);
    });
  }

  /** Gives the turn of a read that is over to the one that waits longest. */
  #next(): void {
    const [begin] = this.#waiting;
    if (begin === undefined) this.#running -= 1;
    else begin();
  }
}

function overloaded(): HttpFault {
  return new HttpFault('overloaded', 'too many reads of history');
}
