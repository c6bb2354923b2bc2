import { GrowingFile } from './growing-file.ts';
import type { ReadOptions } from './source.ts';

export type GrowingLine =
  | { readonly kind: 'restarted'; readonly movedTo: string | null }
  | {
      readonly kind: 'line';
      /** Counts from 1 in the file as it is now. */
      readonly number: number;
      /** The line without its line end, or as much of it as the bound allows. */
      readonly bytes: Buffer;
      readonly isCut: boolean;
      /** Is true if the file ends here without a line end. */
      readonly isUnterminated: boolean;
    };

/** The lines of a file that grows. A last line without its end is left for the next read, if there may be one. */
export class GrowingLines {
  readonly #file: GrowingFile;
  readonly #lineBytesMax: number;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #number = 0;

  constructor(path: string, lineBytesMax: number) {
    this.#file = new GrowingFile(path);
    this.#lineBytesMax = lineBytesMax;
  }

  async *read({ growing, ...options }: ReadOptions): AsyncGenerator<GrowingLine> {
    for await (const part of this.#file.read(options)) {
      if (part.kind === 'restarted') {
        this.#clear();
        this.#number = 0;
        yield part;
        continue;
      }
      const { bytes } = part;
      let from = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, from)) {
        this.#keep(bytes.subarray(from, end));
        yield this.#take(false);
        from = end + 1;
      }
      this.#keep(bytes.subarray(from));
    }
    if (!growing && this.#partBytes > 0) yield this.#take(true);
  }

  /** See `GrowingFile`, as for `formerPath`. */
  beginAgain(): void {
    this.#file.beginAgain();
  }

  formerPath(): Promise<string | null> {
    return this.#file.formerPath();
  }

  /** What exceeds the bound is counted and dropped. */
  #keep(bytes: Buffer): void {
    const room = Math.max(0, this.#lineBytesMax - this.#partBytes);
    if (room > 0 && bytes.length > 0) this.#parts.push(bytes.subarray(0, room));
    this.#partBytes += bytes.length;
  }

  #take(isUnterminated: boolean): GrowingLine {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const bytes = whole.at(-1) === 0x0d ? whole.subarray(0, -1) : whole;
    const isCut = this.#partBytes > this.#lineBytesMax;
    this.#clear();
    this.#number += 1;
    return { kind: 'line', number: this.#number, bytes, isCut, isUnterminated };
  }

  #clear(): void {
    this.#parts = [];
    this.#partBytes = 0;
  }
}
