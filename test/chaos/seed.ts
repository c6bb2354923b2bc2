/** Returns `SEED`, or a random seed, so that each run is different. */
export function chosenSeed(environment: Readonly<NodeJS.ProcessEnv>): number {
  const given = Number(environment.SEED);
  return Number.isSafeInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 2 ** 31);
}
