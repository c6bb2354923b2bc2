/** Returns the median of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Returns the value that `share` (0 to 1) of the values do not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Runs the contenders in turn until the time is up, so that other work on the machine affects all of them alike.
 * Returns the median nanoseconds of CPU time of one call of each, of all threads including the garbage collector's. The
 * first two rounds warm up and do not count.
 */
export function inTurn<Name extends string>(
  contenders: Readonly<Record<Name, () => void>>,
  options: { seconds: number },
): Record<Name, number> {
  const names = Object.keys(contenders) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  const endsAt = performance.now() + options.seconds * 1_000;
  for (let round = 0; round < 5 || performance.now() < endsAt; round += 1) {
    for (const name of names) {
      const from = process.cpuUsage();
      contenders[name]();
      const { user, system } = process.cpuUsage(from);
      if (round >= 2) taken[name].push((user + system) * 1_000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(taken[name])])) as Record<Name, number>;
}
