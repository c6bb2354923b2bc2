import { messageOf } from '@runlog/topic-io/error-message';
import { type ExitCode, exitCodes } from './command.ts';

/** What happened to the reader of what a command prints. */
export interface StreamWatch {
  /** Has the command go on when its reader is gone. Before that, it ends. */
  workUnread(): void;
  /** The exit code after the work, which is no success if its result could not be written. */
  codeAfter(code: ExitCode): ExitCode;
}

/**
 * Watches the standard streams of a command. If the reader of a pipe is gone (`runlog runs | head`), nothing is wrong, and
 * a command that only prints ends with 0. A full disk is a fault. Whether anybody reads stderr decides nothing.
 */
export function watchStreams(): StreamWatch {
  let goesOn = false;
  let fault: Error | null = null;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (!goesOn) process.exit(exitCodes.ok);
      return;
    }
    if (fault === null) process.stderr.write(`runlog: stdout cannot be written: ${messageOf(error)}\n`);
    fault = error;
    if (!goesOn) process.exit(exitCodes.failed);
  });
  return {
    workUnread() {
      goesOn = true;
    },
    codeAfter: (code) => (fault !== null && code === exitCodes.ok ? exitCodes.failed : code),
  };
}
