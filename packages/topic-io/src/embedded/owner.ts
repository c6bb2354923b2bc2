import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * The owner of a folder: a process, told apart from all others that had or will have its pid. The pid alone says
 * nothing: in a container it is 1 before and after every restart.
 */
export interface OwnerIdentity {
  readonly pid: number;
  readonly host: string;
  /** The clock ticks after boot at which the process began; null if the system does not say. */
  readonly processStart: string | null;
  readonly bootId: string | null;
  /** Names the scope of the pid: two containers on one kernel share a boot id and have a pid 1 each. */
  readonly pidNamespace: string | null;
}

export function thisProcess(): OwnerIdentity {
  return {
    pid: process.pid,
    host: hostname(),
    processStart: processStartOf(process.pid),
    bootId: readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: readOrNull(() => readlinkSync('/proc/self/ns/pid')),
  };
}

/** `unknown` means that the owner, if it runs, runs where its pid cannot be looked up from here. */
export type Liveness = 'alive' | 'dead' | 'unknown';

export function livenessOf(
  owner: OwnerIdentity,
  here: OwnerIdentity,
  startOf: (pid: number) => string | null = processStartOf,
  isRunning: (pid: number) => boolean = isProcessRunning,
): Liveness {
  if (owner.bootId !== null && here.bootId !== null) {
    if (owner.bootId !== here.bootId) return 'dead';
    if (owner.pidNamespace !== here.pidNamespace) return 'unknown';
    if (owner.processStart !== null) return startOf(owner.pid) === owner.processStart ? 'alive' : 'dead';
  } else if (owner.host !== here.host) {
    return 'unknown';
  }
  return isRunning(owner.pid) ? 'alive' : 'dead';
}

/** Resolves to null for a process that is gone, or that has ended and waits for its parent to notice. */
function processStartOf(pid: number): string | null {
  const found = statOf(`/proc/${pid}`);
  return found === null || (hasEnded(found) && !hasRunningThreads(pid)) ? null : found.start;
}

interface ProcessStat {
  readonly state: string;
  readonly start: string;
}

/** Reads fields 3 and 22. They are counted from the end of the command name, which may itself hold spaces and brackets. */
function statOf(folder: string): ProcessStat | null {
  return readOrNull(() => {
    const stat = readFileSync(`${folder}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    return state === undefined || start === undefined ? null : { state, start };
  });
}

function hasEnded({ state }: ProcessStat): boolean {
  return state === 'Z' || state === 'X';
}

/** A thread may still be in a write when the first one, which stands for the process, has ended. */
function hasRunningThreads(pid: number): boolean {
  const threads = readOrNull(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.some((thread) => {
    const found = statOf(`/proc/${pid}/task/${thread}`);
    return found !== null && !hasEnded(found);
  });
}

/** Says whether some process of this machine has the number, also one that has ended and that its parent has not noticed. */
export function isProcessRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM means that the process runs under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readOrNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
