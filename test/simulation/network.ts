import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { SimulatedProcess } from './simulated-process.ts';

/** An effect that is not possible yet. The log tries again in a moment, as a broker's client would. */
export const NOT_YET = Symbol('not yet');

const NOT_YET_RETRY_MS = 3;

export interface NetworkProfile {
  readonly latencyMsMax: number;
  /** The share of requests and answers that take up to `slowMsMax`. */
  readonly slowChance: number;
  readonly slowMsMax: number;
  /** The share of requests that get lost, lose their answer, or arrive after their sender has given up. */
  readonly lossChance: number;
}

/**
 * The network between the processes and the log, with delays, losses, answers that never arrive and requests that
 * arrive too late.
 */
export class Network {
  profile: NetworkProfile;
  /** Whether the log cannot be reached. */
  isDown = false;

  constructor(profile: NetworkProfile) {
    this.profile = profile;
  }

  /**
   * Sends one request and returns its answer. The effect happens at the log, at once and as a whole. For a dead process
   * it never settles.
   */
  ask<Answer>(process: SimulatedProcess, effect: () => Answer | typeof NOT_YET): Promise<Answer> {
    const { random, scheduler } = process;
    const { lossChance } = this.profile;
    return new Promise((resolve, reject) => {
      if (process.crashed) return;
      const isLost = random.chance(lossChance);
      const arrivesAtAll = !isLost || random.chance(0.67);
      const arrivesLate = isLost && arrivesAtAll && random.chance(0.5);
      const giveUpMs = isLost ? random.between(200, 2_500) : 0;
      const arrive = () => {
        if (process.crashed && process.losesRequests) return;
        let settle: () => void;
        try {
          if (this.isDown) throw unavailable('the log cannot be reached');
          const answer = effect();
          if (answer === NOT_YET) {
            scheduler.after(NOT_YET_RETRY_MS, arrive);
            return;
          }
          settle = () => resolve(answer);
        } catch (error) {
          settle = () => reject(error);
        }
        if (!isLost) scheduler.after(this.latencyMs(process), settle, process);
      };
      if (isLost) {
        scheduler.after(giveUpMs, () => reject(unavailable('no answer in time')), process);
      }
      if (arrivesLate) scheduler.after(giveUpMs + random.between(0, 4_000), arrive);
      else if (arrivesAtAll) scheduler.after(this.latencyMs(process), arrive);
    });
  }

  latencyMs(process: SimulatedProcess): number {
    const { random } = process;
    const { latencyMsMax, slowChance, slowMsMax } = this.profile;
    return random.next() * (random.chance(slowChance) ? slowMsMax : latencyMsMax);
  }
}

function unavailable(message: string): TopicIoError {
  return new TopicIoError('unavailable', message);
}
