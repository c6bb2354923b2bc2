import type { Clock } from '@runlog/service-kit/clock';
import type { ScheduledProcess, Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * A process of the simulation. Crashed, nothing that it waits for ever comes; frozen, it all comes at the thaw, while
 * what it had sent before takes effect in the meantime.
 */
export class SimulatedProcess implements ScheduledProcess {
  readonly name: string;
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  crashed = false;
  /** Whether requests that are on their way at the crash still arrive. */
  losesRequests = false;
  frozenUntilMs = 0;

  constructor(options: {
    name: string;
    random: SeededRandom;
    scheduler: Scheduler;
    /** Its clock does not see what time passes in leaps. */
    oversleeps?: boolean;
  }) {
    const { name, random, scheduler, oversleeps = false } = options;
    this.name = name;
    this.random = random;
    this.scheduler = scheduler;
    this.clock = {
      now: () => scheduler.nowMs - (oversleeps ? scheduler.leapedMs : 0),
      after: (delayMs, run) => scheduler.after(delayMs, run, this),
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  crash(): void {
    this.crashed = true;
    this.losesRequests = this.random.chance(0.5);
  }

  freeze(forMs: number): void {
    this.frozenUntilMs = Math.max(this.frozenUntilMs, this.scheduler.nowMs + forMs);
  }

  thaw(): void {
    this.frozenUntilMs = 0;
  }

  get isFrozen(): boolean {
    return this.frozenUntilMs > this.scheduler.nowMs;
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const onAbort = () => {
        cancel();
        resolve();
      };
      const cancel = this.scheduler.after(
        ms,
        () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        this,
      );
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
