import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const STOP_MS_MAX = 60_000;
const POLL_MS = 2;

/**
 * Sends SIGSTOP and resolves when all threads of the process have stopped. On busy cores this is some time after the
 * signal was sent, and until then a broker still answers.
 */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const endsMs = performance.now() + STOP_MS_MAX;
  while (!(await isStopped(pid))) {
    if (performance.now() > endsMs) throw new Error(`process ${pid} does not stop`);
    await delay(POLL_MS);
  }
}

async function isStopped(pid: number): Promise<boolean> {
  if (process.platform !== 'linux')
    return (await run('ps', ['-o', 'state=', '-p', `${pid}`])).stdout.startsWith('T');
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(
    // A thread may end while the others are inspected.
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '(ended) Z')),
  );
  return states.every((stat) => /^[TZX]/.test(stat.slice(stat.lastIndexOf(')') + 2)));
}
