import { cpus } from 'node:os';

/** What a benchmark may be told. */
export interface BenchOptions {
  /** About how long the measured part of one comparison lasts. */
  readonly seconds: number;
}

/**
 * A figure beside the limit that the same machine set in the same run. Absolute times depend on the machine; the
 * ratio travels.
 */
export interface Result {
  readonly figure: number;
  readonly unit: string;
  readonly limit: number;
  /** What the limit is, in words. */
  readonly limit_is: string;
  readonly ratio: number;
  /** How it was measured, in words. */
  readonly how: string;
  /** Whatever else was measured. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Benchmark {
  readonly name: string;
  /** One sentence, for the list. */
  readonly summary: string;
  run(options: BenchOptions): Promise<Result>;
}

/** The machine as far as figures need it: never its name or paths. */
export function machine(): Readonly<Record<string, string | number>> {
  return { cores: cpus().length, node: process.version, platform: process.platform };
}

/** Rounded to three significant digits or to whole numbers, whatever is finer to read. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
