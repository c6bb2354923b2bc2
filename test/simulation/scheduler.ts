import type { SeededRandom } from './seeded-random.ts';

/** The process that an event belongs to. Events of a dead process never happen, and those of a frozen one wait. */
export interface ScheduledProcess {
  readonly crashed: boolean;
  frozenUntilMs: number;
}

interface Event {
  atMs: number;
  readonly order: number;
  run: (() => void) | null;
  readonly process: ScheduledProcess | null;
}

/**
 * Virtual time: a queue of events by time, with ties in an order that the seed decides. After each event, every promise
 * that it settled continues to its next wait before the next event runs. So a history depends only on its seed, and
 * waiting costs no time.
 */
export class Scheduler {
  nowMs: number;
  /** The number of events that ran. */
  ran = 0;
  /** The part of the time that passed in leaps. */
  leapedMs = 0;
  readonly #random: SeededRandom;
  readonly #heap: Event[] = [];

  constructor(options: { startMs: number; random: SeededRandom }) {
    this.nowMs = options.startMs;
    this.#random = options.random;
  }

  /** Calls `run` once after the delay. The returned function cancels it. */
  after(delayMs: number, run: () => void, process: ScheduledProcess | null = null): () => void {
    const event: Event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#random.next(),
      run,
      process,
    };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  /**
   * Lets time pass in which nothing happens, as if every machine slept. Later events keep their distance. But if a
   * process's timers counted the sleep, its timers are due at once. A frozen process stays frozen for its remaining
   * time.
   */
  leap(byMs: number, options: { isCounted: boolean }): void {
    const events = this.#heap.splice(0);
    const frozen = new Set<ScheduledProcess>();
    for (const { process } of events)
      if (process !== null && process.frozenUntilMs > this.nowMs) frozen.add(process);
    for (const process of frozen) process.frozenUntilMs += byMs;
    this.nowMs += byMs;
    this.leapedMs += byMs;
    for (const event of events) {
      const { process } = event;
      if (process === null || !options.isCounted || frozen.has(process)) event.atMs += byMs;
      this.#push(event);
    }
  }

  /** Runs events until the condition holds or none is left. Rejects with the error of an event that throws. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          if (isOver() || !this.#runNext()) {
            resolve();
            return;
          }
        } catch (error) {
          reject(error);
          return;
        }
        // A tick that is requested in a microtask runs when no microtask is left.
        queueMicrotask(nextStep);
      };
      const nextStep = () => process.nextTick(step);
      process.nextTick(step);
    });
  }

  #runNext(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === null) return false;
      const { run, process } = event;
      if (run === null || process?.crashed) continue;
      if (process !== null && process.frozenUntilMs > event.atMs) {
        event.atMs = process.frozenUntilMs;
        this.#push(event);
        continue;
      }
      this.nowMs = Math.max(this.nowMs, event.atMs);
      this.ran += 1;
      event.run = null;
      run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[index] = heap[above]!;
      index = above;
    }
    heap[index] = event;
  }

  #pop(): Event | null {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined) return null;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, last)) break;
      heap[index] = heap[below]!;
      index = below;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
