import { cpus } from 'node:os';

/** The options of a benchmark. */
export interface BenchOptions {
  /** The approximate length of the measured part of one comparison. */
  readonly seconds: number;
  /** How long growth is watched, for those who watch it. */
  readonly minutes?: number | undefined;
}

/**
 * A figure, and the limit measured on the same machine in the same run. Absolute times depend on the machine; ratios
 * can be compared between machines.
 */
export interface Result {
  readonly figure: number;
  readonly unit: string;
  readonly limit: number;
  /** Says in words what the limit is. */
  readonly limit_is: string;
  readonly ratio: number;
  /** Says in words how it was measured. */
  readonly how: string;
  /** Any other measurements. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Benchmark {
  readonly name: string;
  /** One sentence for the list of benchmarks. */
  readonly summary: string;
  /** How long its measured part lasts unless it is said. */
  readonly seconds?: number;
  run(options: BenchOptions): Promise<Result>;
}

/** Describes the machine as far as figures need it, never its name or paths. */
export function machine(): Readonly<Record<string, string | number>> {
  return { cores: cpus().length, node: process.version, platform: process.platform };
}

/** Rounds to three significant digits or to whole numbers, whichever is finer. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
