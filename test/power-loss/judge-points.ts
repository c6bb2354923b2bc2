import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import type { Verdict } from './judge.ts';
import type { Recording } from './recording.ts';

const childPath = fileURLToPath(new URL('judge-child.ts', import.meta.url));
const answerTimeoutMs = 200_000;
/** A log that is refused half open is never closed, so a child does not live for ever. */
const pointsPerChildMax = 2_000;

/** A point waits for the disk most of its time. */
const pointsAtOnce = 4;

/**
 * Judges the seeds in several processes. If a process dies, each point that it had is judged again in one of its own,
 * so that the right one is named.
 */
export async function judgePoints(options: {
  recordings: readonly Recording[];
  seeds: readonly number[];
  processes: number;
  onVerdict: (verdict: Verdict) => void;
}): Promise<void> {
  const memory = '/dev/shm';
  const scratch = await mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'runlog-power-'));
  try {
    const recordingsPath = join(scratch, 'recordings');
    await writeFile(recordingsPath, serialize(options.recordings));
    const paths = { recordingsPath, scratch };
    const queue = [...options.seeds].reverse();
    const suspects: number[] = [];
    const work = async (): Promise<void> => {
      while (queue.length > 0 || suspects.length > 0) {
        const seeds = queue.splice(-pointsPerChildMax).reverse();
        const left = await judgeInChild(paths, seeds, pointsAtOnce, options.onVerdict);
        suspects.push(...left.begun);
        queue.push(...left.waiting);
        for (const seed of suspects.splice(0)) {
          const { begun, how } = await judgeInChild(paths, [seed], 1, options.onVerdict);
          if (begun.length > 0) options.onVerdict({ seed, outcome: 'died', detail: how });
        }
      }
    };
    await Promise.all(Array.from({ length: options.processes }, work));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Left {
  /** The points that a process had when it died. */
  readonly begun: readonly number[];
  readonly waiting: readonly number[];
  readonly how: string;
}

async function judgeInChild(
  paths: { recordingsPath: string; scratch: string },
  seeds: readonly number[],
  atOnce: number,
  onVerdict: (verdict: Verdict) => void,
): Promise<Left> {
  const waiting = [...seeds];
  const begun = new Set<number>();
  const child = fork(childPath, [paths.recordingsPath, paths.scratch], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  });
  let timer: NodeJS.Timeout | undefined;
  const how = await new Promise<string>((resolve) => {
    const feed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => resolve('it gave no answer'), answerTimeoutMs);
      while (begun.size < atOnce && waiting.length > 0) {
        const seed = waiting.shift()!;
        begun.add(seed);
        child.send({ seed });
      }
      if (begun.size === 0) resolve('all were judged');
    };
    child.on('message', (message: Verdict | { ready: true }) => {
      if ('seed' in message) {
        begun.delete(message.seed);
        onVerdict(message);
      }
      feed();
    });
    child.once('exit', (code, signal) => resolve(`the process ended with ${signal ?? String(code)}`));
  });
  clearTimeout(timer);
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  return { begun: [...begun], waiting, how };
}
