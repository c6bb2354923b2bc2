import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a standard stream of a process is of no use: nobody reads the pipe any more, nobody ever has, or the disk is full. */
export const badStates = ['gone', 'full', 'no space'] as const;
export type BadState = (typeof badStates)[number];

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A process some of whose standard streams are in a bad state from its beginning. */
export class UnreadProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #ended: Promise<number | string>;
  readonly #read = new Map<'stdout' | 'stderr', string>();

  constructor(
    args: readonly string[],
    use: {
      env: Readonly<Record<string, string>>;
      state: BadState;
      streams: readonly ('stdout' | 'stderr')[];
    },
  ) {
    const bad = openBad(use.state);
    const stdio = (name: 'stdout' | 'stderr') => (use.streams.includes(name) ? bad.stdio : 'pipe');
    this.child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...use.env },
      stdio: ['ignore', stdio('stdout'), stdio('stderr')],
    });
    alive.add(this.child);
    for (const name of ['stdout', 'stderr'] as const) {
      if (use.streams.includes(name)) this.child[name]?.destroy();
      else
        this.child[name]?.on('data', (data: Buffer) =>
          this.#read.set(name, (this.#read.get(name) ?? '') + data),
        );
    }
    this.#ended = once(this.child, 'exit').then(([code, signal]) => {
      alive.delete(this.child);
      bad.release();
      return (code ?? signal) as number | string;
    });
  }

  /** What it wrote there, if that is in no bad state. */
  get stderr(): string {
    return this.#read.get('stderr') ?? '';
  }

  /** The exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended();
  }
}

/** What the child gets as its stream, as `spawn` takes it. */
function openBad(state: BadState): { stdio: 'pipe' | number; release: () => void } {
  switch (state) {
    case 'gone':
      return { stdio: 'pipe', release: () => undefined };
    case 'no space': {
      const descriptor = openSync('/dev/full', 'w');
      return { stdio: descriptor, release: () => closeSync(descriptor) };
    }
    case 'full':
      return openFull();
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

/** A pipe that is full before the child writes its first byte, and that nobody reads. */
function openFull(): { stdio: number; release: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'runlog-full-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const holder = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(holder, Buffer.alloc(4_096, '.'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  // Another opening of it waits, as that of a shell does.
  const descriptor = openSync(path, 'w');
  return {
    stdio: descriptor,
    release: () => {
      closeSync(descriptor);
      closeSync(holder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
