import { messageOf } from '@runlog/topic-io/error-message';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

/** A program that runs in a process. It starts at once; `stop` drains it as SIGTERM would. */
export interface Program {
  stop(): Promise<void>;
  /** Is called when the process has crashed. */
  crashed?(): void;
}

export type StartProgram = (process: SimulatedProcess, fail: (error: unknown) => void) => Program;

/** The longest drain. After it an orchestrator kills the process. */
const DRAIN_MS_MAX = 25_000;

/** A service with its supervisor. It runs one process at a time, and starts it again after it ended. */
export class Service {
  readonly name: string;
  readonly #world: World;
  readonly #start: StartProgram;
  /** Whether a process may end with this error. */
  readonly #mayFail: (error: unknown) => boolean;
  #starts = 0;
  #running: { process: SimulatedProcess; program: Program } | null = null;
  #cancelRestart: (() => void) | null = null;

  constructor(
    world: World,
    options: { name: string; start: StartProgram; mayFail: (error: unknown) => boolean },
  ) {
    this.#world = world;
    this.name = options.name;
    this.#start = options.start;
    this.#mayFail = options.mayFail;
    this.startLater(0);
  }

  get process(): SimulatedProcess | null {
    return this.#running?.process ?? null;
  }

  startLater(inMs: number): void {
    this.#cancelRestart?.();
    this.#cancelRestart = this.#world.scheduler.after(inMs, () => {
      this.#cancelRestart = null;
      if (this.#running !== null) return;
      this.#starts += 1;
      const process = this.#world.process(`${this.name}#${this.#starts}`);
      this.#world.note(() => `${process.name} starts`);
      const program = this.#start(process, (error) => this.#failed(process, error));
      this.#running = { process, program };
    });
  }

  crash(downMs: number): void {
    if (this.#running === null) return;
    const { process, program } = this.#running;
    this.#world.note(() => `${process.name} crashes`);
    process.crash();
    program.crashed?.();
    this.#running = null;
    this.startLater(downMs);
  }

  stop(downMs: number): void {
    if (this.#running === null) return;
    const { process, program } = this.#running;
    this.#world.note(() => `${process.name} is told to stop`);
    const { scheduler } = this.#world;
    const end = () => {
      if (this.#running?.process === process) this.crash(downMs);
    };
    const cancelKill = scheduler.after(DRAIN_MS_MAX, end);
    program.stop().then(
      () => {
        cancelKill();
        // Messages that it sent while it stopped still arrive.
        scheduler.after(0, () => {
          end();
          process.losesRequests = false;
        });
      },
      (error: unknown) => this.#failed(process, error),
    );
  }

  freeze(forMs: number): void {
    const { process } = this;
    if (process === null) return;
    this.#world.note(() => `${process.name} freezes for ${Math.round(forMs)} ms`);
    process.freeze(forMs);
  }

  #failed(process: SimulatedProcess, error: unknown): void {
    if (process.crashed) return;
    const said = messageOf(error);
    this.#world.note(() => `${process.name} fails: ${said}`);
    if (!this.#mayFail(error)) this.#world.fail(error);
    this.crash(process.random.between(500, 2_000));
  }
}
