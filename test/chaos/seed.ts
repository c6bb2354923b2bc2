/** `SEED`, or one by chance: each run is another one. */
export function chosenSeed(environment: Readonly<NodeJS.ProcessEnv>): number {
  const given = Number(environment.SEED);
  return Number.isSafeInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 2 ** 31);
}
