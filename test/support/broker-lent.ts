import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A cluster that is run by somebody else. */
export interface LentBrokers extends AsyncDisposable {
  readonly way: 'lent';
  readonly brokers: readonly string[];
  /** Gives the cluster back. Rejects if something of ours stays on it; stderr then names it. */
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('./broker-lent-child.ts', import.meta.url));

/**
 * Borrows a cluster. Everything that is made on it under the prefix is deleted when it is given back, and also when
 * this process ends before that, however it ends: by Ctrl-C, or killed. Nobody else uses the prefix, so another run at
 * the same time keeps its own.
 */
export function borrowBrokers(options: { brokers: readonly string[]; prefix: string }): LentBrokers {
  const { brokers, prefix } = options;
  // The child has a session of its own, so that Ctrl-C does not end it. Its standard input closes when this process
  // ends.
  const child = spawn(process.execPath, ['--import', 'tsx', program, brokers.join(','), prefix], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  ended.catch(() => undefined);
  child.unref();
  (child.stdin as Socket).unref();
  const stop = async () => {
    child.ref();
    child.stdin.end();
    const [code] = await ended;
    if (code !== 0) throw new Error(`the broker at ${brokers.join(', ')} keeps something of this run`);
  };
  return { way: 'lent', brokers, stop, [Symbol.asyncDispose]: stop };
}
