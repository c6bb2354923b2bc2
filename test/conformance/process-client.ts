import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ClientStarter } from './client-under-test.ts';

/** How long a client may take to end after `close` and the end of its input. */
const STOP_MS_MAX = 5_000;

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts a client by a command of the shell: it reads commands from stdin and writes reports to stdout. */
export function processClient(command: string): ClientStarter {
  return {
    pages: new Map(),
    start: async ({ onReport, onExit }) => {
      const child = spawn(`exec ${command}`, { stdio: ['pipe', 'pipe', 'inherit'], shell: true });
      alive.add(child);
      const closed = new Promise<void>((resolve) => {
        child.once('close', () => {
          alive.delete(child);
          resolve();
        });
      });
      let isStopping = false;
      child.once('error', (error) => onExit(String(error)));
      child.once('exit', (code, signal) => {
        if (!isStopping) onExit(`the client ended with ${signal ?? code}`);
      });
      child.stdin.on('error', () => undefined);
      createInterface({ input: child.stdout }).on('line', (line) => onReport(parsed(line)));
      return {
        tell: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
        stop: async () => {
          isStopping = true;
          child.stdin.end();
          const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
          await closed;
          clearTimeout(timer);
        },
      };
    },
  };
}

/** A line that is not JSON is not a report. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
