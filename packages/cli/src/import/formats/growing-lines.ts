import { GrowingFile } from './growing-file.ts';
import type { ReadOptions } from './source.ts';

/** A line that is longer is cut there. */
const LINE_BYTES_MAX = 64 * 1024;

export interface GrowingLine {
  /** Counts from 1 in the file as it is now. */
  readonly number: number;
  readonly text: string;
}

/** The short lines of a file that grows. A last line without its end is left for the next read, if there may be one. */
export class GrowingLines {
  readonly #file: GrowingFile;
  #rest = Buffer.alloc(0);
  #number = 0;

  constructor(path: string) {
    this.#file = new GrowingFile(path);
  }

  get path(): string {
    return this.#file.path;
  }

  async *read({ growing, ...options }: ReadOptions): AsyncGenerator<GrowingLine> {
    for await (const part of this.#file.read(options)) {
      if (part.kind === 'restarted') {
        this.#rest = Buffer.alloc(0);
        this.#number = 0;
        continue;
      }
      const bytes = this.#rest.length === 0 ? part.bytes : Buffer.concat([this.#rest, part.bytes]);
      let from = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, from)) {
        yield this.#line(bytes.subarray(from, end));
        from = end + 1;
      }
      this.#rest = Buffer.from(bytes.subarray(from, from + LINE_BYTES_MAX));
    }
    if (!growing && this.#rest.length > 0) {
      yield this.#line(this.#rest);
      this.#rest = Buffer.alloc(0);
    }
  }

  #line(bytes: Buffer): GrowingLine {
    this.#number += 1;
    const text = bytes.subarray(0, LINE_BYTES_MAX).toString('utf8');
    return { number: this.#number, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  }
}
