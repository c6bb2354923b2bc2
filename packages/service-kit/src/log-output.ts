import { setTimeout as delay } from 'node:timers/promises';

/** Lines that a slow reader has not taken yet wait in memory up to this. */
const HELD_BYTES_MAX = 1024 * 1024;
/** How soon a pipe that was full is tried again. Nothing says when it has room. */
const RETRY_MS = 20;

/** Writes without waiting and returns how many bytes were taken, or throws as `fs.writeSync` does. */
export type WriteNow = (bytes: Buffer) => number;

/**
 * Writes lines and never waits for their reader. What a full pipe does not take is held in memory, up to a bound. What cannot
 * be written (the bound is reached, the reader is gone, the disk is full) is dropped and counted, and the next line that can
 * be written is preceded by one that says how many.
 */
export class LogOutput {
  readonly #writeNow: WriteNow;
  readonly #droppedLine: (count: number) => string;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  /** What is left of a line that was begun. */
  #rest: Buffer | null = null;
  /** Whether the last line was begun and then given up. It must not swallow the next one. */
  #isCut = false;
  #retry: NodeJS.Timeout | null = null;
  #dropped = 0;
  #untold = 0;

  constructor(options: { writeNow: WriteNow; droppedLine: (count: number) => string }) {
    this.#writeNow = options.writeNow;
    this.#droppedLine = options.droppedLine;
  }

  /** The number of lines that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes a line, which ends with a line feed. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#heldBytes > 0 && this.#heldBytes + bytes.length > HELD_BYTES_MAX) {
      this.#count(1);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#retry === null) this.#writeHeld();
  }

  /** Gives the reader this long to take what is held. After that the process may end. */
  async flush(waitMs: number): Promise<void> {
    const endsMs = performance.now() + waitMs;
    this.#writeHeld();
    while (this.#retry !== null && performance.now() < endsMs) {
      await delay(RETRY_MS);
      this.#writeHeld();
    }
  }

  #writeHeld(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    try {
      for (let next = this.#next(); next !== null; next = this.#next()) {
        const written = this.#writeNow(next.bytes);
        next.taken();
        this.#rest = written < next.bytes.length ? next.bytes.subarray(written) : null;
      }
    } catch (error) {
      if (isFull(error)) this.#retry = setTimeout(() => this.#writeHeld(), RETRY_MS).unref();
      else this.#giveUp();
    }
  }

  #next(): { readonly bytes: Buffer; readonly taken: () => void } | null {
    if (this.#rest !== null) return { bytes: this.#rest, taken: () => undefined };
    const first = this.#held[0];
    if (first === undefined) return null;
    if (this.#isCut) {
      return {
        bytes: Buffer.from('\n'),
        taken: () => {
          this.#isCut = false;
        },
      };
    }
    const untold = this.#untold;
    if (untold > 0) {
      return {
        bytes: Buffer.from(this.#droppedLine(untold)),
        taken: () => {
          this.#untold -= untold;
        },
      };
    }
    return {
      bytes: first,
      taken: () => {
        this.#held.shift();
        this.#heldBytes -= first.length;
      },
    };
  }

  #giveUp(): void {
    this.#count(this.#held.length + (this.#rest === null ? 0 : 1));
    if (this.#rest !== null) this.#isCut = true;
    this.#rest = null;
    this.#held.length = 0;
    this.#heldBytes = 0;
  }

  #count(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY');
}
