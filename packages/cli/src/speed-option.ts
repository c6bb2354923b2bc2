import { UsageError } from './command.ts';

/** Parses `--speed 10x`, a factor on the recorded times. Returns null if it was not given. */
export function speedOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const speed = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (speed >= 0.01 && speed <= 1_000_000) return speed;
  throw new UsageError(`--speed must be a factor such as 1x or 10x (is "${text}")`);
}
