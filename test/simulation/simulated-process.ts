import type { Clock } from '@runlog/service-kit/clock';
import type { ScheduledProcess, Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * A process of the simulation. If it has crashed, nothing that it waits for ever arrives. If it is frozen, everything
 * arrives at the thaw, while its earlier requests take effect in the meantime.
 */
export class SimulatedProcess implements ScheduledProcess {
  readonly name: string;
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  crashed = false;
  /** Whether requests that are in flight at the crash are lost. */
  losesRequests = false;
  frozenUntilMs = 0;

  constructor(options: {
    name: string;
    random: SeededRandom;
    scheduler: Scheduler;
    /** Whether its clock does not count the time that passes in leaps. */
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
