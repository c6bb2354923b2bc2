import { printable, printableLines } from '@runlog/service-kit/printable';

const REPAINT_MS_MIN = 1_000;
/** The same trouble is not reported again within this time. */
const TROUBLE_MS_MIN = 5_000;

/** What nobody has read yet. Beyond it, progress is no longer said. */
const UNREAD_BYTES_MAX = 256 * 1024;

/**
 * One line on stderr that is repainted at most once a second. If stderr is not a terminal, each update is a new line. Texts
 * may quote others: their control characters are shown, not executed.
 */
export interface Progress {
  update(text: () => string): void;
  /** Prints a line that stays. */
  note(text: string): void;
  /** Notes something that may keep happening. It is printed when it begins and from time to time after that. */
  trouble(reason: string): void;
  end(): void;
}

export function createProgress(options: {
  stream: { write(text: string): unknown; readonly isTTY?: boolean; readonly writableLength?: number };
  now: () => number;
}): Progress {
  const { now } = options;
  // A pipe that nobody reads keeps what is written to it in memory.
  const stream = {
    isTTY: options.stream.isTTY,
    write: (text: string) => {
      if ((options.stream.writableLength ?? 0) < UNREAD_BYTES_MAX) options.stream.write(text);
    },
  };
  const terminal = stream.isTTY === true;
  let paintedAtMs = now();
  let painted = false;
  let trouble = { reason: '', atMs: Number.NEGATIVE_INFINITY };
  const clear = () => {
    if (painted) stream.write('\r\u001b[2K');
    painted = false;
  };
  const note = (text: string) => {
    clear();
    stream.write(`${printableLines(text)}\n`);
  };
  return {
    note,
    trouble(reason) {
      if (reason === trouble.reason && now() - trouble.atMs < TROUBLE_MS_MIN) return;
      trouble = { reason, atMs: now() };
      note(reason);
    },
    update(text) {
      if (now() - paintedAtMs < REPAINT_MS_MIN) return;
      paintedAtMs = now();
      if (!terminal) {
        stream.write(`${printable(text())}\n`);
        return;
      }
      clear();
      stream.write(printable(text()));
      painted = true;
    },
    end: clear,
  };
}
