const DOTS_WIDE = 2;
const DOTS_HIGH = 4;
const BRAILLE_BLANK = 0x2800;
/** The bit of a dot in its letter, by row and column. Unicode numbers the first three rows first. */
const DOT_BITS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** A field of dots, two wide and four high in each letter. The origin is at the top left. */
export class BrailleCanvas {
  readonly dotsWide: number;
  readonly dotsHigh: number;
  readonly #letters: Uint8Array[];

  constructor(size: { columns: number; rows: number }) {
    this.dotsWide = size.columns * DOTS_WIDE;
    this.dotsHigh = size.rows * DOTS_HIGH;
    this.#letters = Array.from({ length: size.rows }, () => new Uint8Array(size.columns));
  }

  /** The column of letters that a dot is in. */
  static columnOf(dotX: number): number {
    return Math.floor(dotX / DOTS_WIDE);
  }

  /** Sets a dot that is inside the field. */
  set(x: number, y: number): void {
    const letters = this.#letters[Math.floor(y / DOTS_HIGH)]!;
    letters[BrailleCanvas.columnOf(x)]! |= DOT_BITS[y % DOTS_HIGH]![x % DOTS_WIDE]!;
  }

  /** Draws a straight line without holes. */
  line(from: { x: number; y: number }, to: { x: number; y: number }): void {
    const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
    for (let step = 0; step <= steps; step += 1) {
      const part = step / steps;
      this.set(Math.round(from.x + (to.x - from.x) * part), Math.round(from.y + (to.y - from.y) * part));
    }
  }

  /** The letters of one row; a space where no dot is set. */
  row(at: number): string[] {
    return Array.from(this.#letters[at]!, (bits) =>
      bits === 0 ? ' ' : String.fromCodePoint(BRAILLE_BLANK + bits),
    );
  }
}
