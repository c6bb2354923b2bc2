import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { LogOutput, type WriteNow } from './log-output.ts';
import { terminalLine } from './terminal-line.ts';

type Name = 'stdout' | 'stderr';

const descriptors = { stdout: 1, stderr: 2 } as const;
const outputs = new Map<Name, LogOutput>();

/** Returns the output of this process to a standard stream. All that a service says goes through these two. */
export function standardOutput(name: Name): LogOutput {
  let output = outputs.get(name);
  if (output === undefined) {
    output = new LogOutput({ writeNow: writerTo(name), droppedLine: (count) => droppedLine(name, count) });
    outputs.set(name, output);
  }
  return output;
}

/** The number of lines that this process could not write. */
export function linesDropped(): number {
  return [...outputs.values()].reduce((sum, output) => sum + output.dropped, 0);
}

/** Gives the readers of both streams this long to take what is held, before the process ends. */
export async function flushStandardOutputs(waitMs: number): Promise<void> {
  await Promise.all([...outputs.values()].map((output) => output.flush(waitMs)));
}

/**
 * Has Node itself neither wait for the readers of the standard streams nor end because one is gone: it writes its warnings
 * to stderr.
 */
export function standUnreadStreams(): void {
  for (const name of ['stdout', 'stderr'] as const) process[name].on('error', () => undefined);
}

/** Whether people read the stream. */
export function isTerminal(name: Name): boolean {
  return isatty(descriptors[name]);
}

/**
 * A file takes what is written, or refuses it. A pipe or a terminal may have the writer wait for ever. So it is opened anew
 * where that is possible, because the mode "do not wait" would otherwise be that of every process that writes to it, and any
 * of these can take it back. A socket, as of systemd's journal, cannot be opened. Node's own stream then sets the mode.
 */
function writerTo(name: Name): WriteNow {
  const descriptor = descriptors[name];
  const stat = fstatSync(descriptor);
  const mayWait = stat.isFIFO() || stat.isSocket() || isatty(descriptor);
  const opened = mayWait ? openedAnew(descriptor) : descriptor;
  // Looking at the stream makes it.
  if (opened === null) void process[name];
  return (bytes) => writeSync(opened ?? descriptor, bytes);
}

function openedAnew(descriptor: number): number | null {
  if (process.platform !== 'linux') return null;
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // It is a socket, belongs to another user, or has no reader any more.
    return null;
  }
}

function droppedLine(name: Name, dropped: number): string {
  const msg = 'log lines were dropped, because they could not be written';
  const json = JSON.stringify({
    level: 40,
    time: Date.now(),
    service: 'log',
    pid: process.pid,
    dropped,
    msg,
  });
  return isTerminal(name) ? terminalLine(json) : `${json}\n`;
}
