import type { Clock } from '@runlog/service-kit/clock';
import { HttpFault } from '@runlog/service-kit/http-server';
import { TopicIoError } from '@runlog/topic-io/topic-io';

/** How long a read waits for its turn. Clients wait longer than that for an answer. */
export const TURN_MS_MAX = 10_000;

/** A read that waits for its turn. */
interface Waiting {
  readonly begin: () => void;
  readonly refuse: (fault: HttpFault) => void;
}

/**
 * Reads of the log on behalf of clients, of which only so many may run at the same time. Others wait for their turn, in the
 * order in which they came: after a restart every client asks for what it missed at the same moment.
 */
export class LogReads {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #max: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;

  /** `waitingMax`: the reads that may wait. Further ones are refused. */
  constructor(options: { clock: Pick<Clock, 'after'>; max: number; waitingMax: number }) {
    this.#clock = options.clock;
    this.#max = options.max;
    this.#waitingMax = options.waitingMax;
  }

  /**
   * Runs a read. `gone` aborts when nobody needs it any more. Throws `overloaded` if it does not get its turn, and
   * `log_unavailable` if the log does not answer, for whatever reason: the snapshots that are held are still served. Those
   * that wait then get the same at once, because they would find out no sooner one after the other.
   */
  async read<Result>(gone: AbortSignal, read: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    await this.#turn(gone);
    try {
      return await read(gone);
    } catch (error) {
      if (!(error instanceof TopicIoError)) throw error;
      const fault = noAnswer(error);
      if (!gone.aborted) for (const { refuse } of [...this.#waiting]) refuse(fault);
      throw fault;
    } finally {
      this.#next();
    }
  }

  /** Resolves when the read may run. Whoever resolves it has counted it as running. */
  async #turn(gone: AbortSignal): Promise<void> {
    if (this.#running < this.#max) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax || gone.aborted) throw overloaded();
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        cancel();
        gone.removeEventListener('abort', giveUp);
      };
      const waiting: Waiting = {
        begin() {
          leave();
          resolve();
        },
        refuse(fault) {
          leave();
          reject(fault);
        },
      };
      const giveUp = () => waiting.refuse(overloaded());
      const cancel = this.#clock.after(TURN_MS_MAX, giveUp);
      gone.addEventListener('abort', giveUp);
      this.#waiting.add(waiting);
    });
  }

  /** Gives the turn of a read that is over to the one that waits longest. */
  #next(): void {
    const [waiting] = this.#waiting;
    if (waiting === undefined) this.#running -= 1;
    else waiting.begin();
  }
}

function noAnswer(error: TopicIoError): HttpFault {
  return new HttpFault('log_unavailable', `the log does not answer: ${error.message}`, { cause: error });
}

function overloaded(): HttpFault {
  return new HttpFault('overloaded', 'too many reads of history');
}
