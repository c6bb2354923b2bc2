import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Sending, Task } from './sender.ts';

const OUTPUT_LETTERS_MAX = 4_000;

/** A sender in a process of its own, which ends with 0 once it has nothing left to send. */
export class ProcessSender implements Sending {
  readonly finished: Promise<void>;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #output = '';

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(program, args, {
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_LETTERS_MAX);
      });
    }
    this.#closed = once(this.#child, 'close').finally(() => process.off('exit', kill));
    this.finished = this.#closed.then(() => {
      const how = this.#child.exitCode ?? this.#child.signalCode;
      if (how !== 0) throw new Error(`${program} ended with ${how}:\n${this.#output}`);
    });
    this.finished.catch(() => undefined);
  }

  get output(): string {
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}

export function fileBeside(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

export function environmentOf(task: Task): Record<string, string> {
  return {
    URL: task.url,
    RUN: task.run,
    EVENTS: String(task.events),
    PER_SECOND: String(task.eventsPerSecond),
  };
}
