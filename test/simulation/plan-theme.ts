import type { Fault, Plan } from './plan.ts';
import { SeededRandom } from './seeded-random.ts';

const THEME_CHANCE = 0.16;
const TRUNCATION_CHANCE = 0.015;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** With these settings restores take a while, and the records that they read are not compacted before. */
const SLOW_READERS = { recordsPerAnswerMax: 2, fetchPauseMsMax: 300, cleanerDelayMsMax: null };

export interface Theme {
  readonly faults: readonly Fault[];
  /** Changes to the rest of the plan. */
  readonly changes?: Partial<Plan>;
}

/** Plans faults that have an effect only together, in addition to all others, in some of the histories. */
export function planTheme(seed: number, runs: readonly string[]): Theme {
  const random = new SeededRandom(seed).fork('theme');
  const truncation = planTruncation(seed);
  if (truncation.length > 0) return { faults: truncation };
  if (!random.chance(THEME_CHANCE)) return { faults: [] };
  const theme = random.pick(['silence', 'silence', 'events deleted', 'upgrade', 'rebuilds'] as const);
  switch (theme) {
    case 'silence':
      return planSilence(random, runs);
    case 'events deleted':
      return { faults: planDeletedEvents(random) };
    case 'upgrade':
      return { faults: planUpgrade(random) };
    case 'rebuilds':
      return { faults: planRebuilds(random, runs) };
    default: {
      const unreachable: never = theme;
      throw new Error(`unknown theme ${String(unreachable)}`);
    }
  }
}

/**
 * Plans that runs are silent beyond their retention time, and then tombstones expire, perhaps while a process restores.
 */
function planSilence(random: SeededRandom, runs: readonly string[]): Theme {
  const leap = (atMs: number, byMs: number): Fault => ({
    ...{ kind: 'leap', atMs, byMs, isCounted: random.chance(0.8) },
  });
  const silentMs = random.between(4_000, 16_000);
  const goneMs = silentMs + random.between(4_000, 12_000);
  const faults: Fault[] = [leap(silentMs, random.pick([29.9 * DAY_MS, 31 * DAY_MS, 31 * DAY_MS]))];
  if (random.chance(0.3)) faults.push(leap(silentMs + random.between(500, 3_000), 2 * 60_000));
  faults.push({ kind: 'compaction', atMs: goneMs - random.between(50, 1_500), share: 1 });
  faults.push(leap(goneMs, random.pick([20 * HOUR_MS, 25 * HOUR_MS, 25 * HOUR_MS])));
  faults.push({ kind: 'compaction', atMs: goneMs + random.between(1, 500), share: 1 });
  if (random.chance(0.4)) faults.push({ kind: 'rebalance', atMs: goneMs - random.between(500, 4_000) });
  const hasSleeper = random.chance(0.6);
  if (hasSleeper) faults.push(...planSleeper(random, { leapMs: goneMs, runs }));
  if (random.chance(0.3)) {
    const atMs = random.between(silentMs - 3_000, goneMs);
    faults.push({ kind: 'rebuild', atMs, distrusts: random.chance(0.5), dropOld: random.chance(0.3) });
  }
  return hasSleeper ? { faults, changes: SLOW_READERS } : { faults };
}

/**
 * Plans a process that restarts shortly before the leap, while a run is retired, and continues to read when the
 * tombstones are gone.
 */
function planSleeper(random: SeededRandom, at: { leapMs: number; runs: readonly string[] }): Fault[] {
  const { leapMs, runs } = at;
  const process = random.pick(['aggregator-1', 'gateway-1', 'gateway-1']);
  const startMs = leapMs - random.between(2_500, 4_500);
  const freezeMs = startMs + random.pick([10, 100, 1_000]) * random.between(0.5, 1.5);
  return [
    { kind: 'crash', atMs: startMs - 500, process, downMs: 500 },
    { kind: 'retirement', atMs: startMs - random.between(0, 1_500), run: random.pick(runs) },
    { kind: 'freeze', atMs: freezeMs, process, forMs: leapMs - freezeMs + random.between(100, 2_000) },
    { kind: 'compaction', atMs: leapMs - random.between(1, 600), share: 1 },
  ];
}

function planDeletedEvents(random: SeededRandom): Fault[] {
  const atMs = random.between(5_000, 26_000);
  const faults: Fault[] = [{ kind: 'events deleted', atMs, downMs: random.between(10, 4_000) }];
  for (let rebuilds = random.integer(0, 2); rebuilds > 0; rebuilds -= 1) {
    const rebuildMs = atMs + random.between(-3_000, 9_000);
    faults.push({
      ...{ kind: 'rebuild', atMs: rebuildMs },
      ...{ distrusts: random.chance(0.5), dropOld: random.chance(0.3) },
    });
    if (random.chance(0.4)) faults.push(interruption(random, rebuildMs));
  }
  if (random.chance(0.4)) faults.push({ kind: 'retention', atMs: atMs + random.between(500, 9_000) });
  return faults;
}

/**
 * Plans that every aggregator is away while events come, and that these are deleted before anything stored includes them.
 * Gateways run on, and may have folded them.
 */
function planTruncation(seed: number): Fault[] {
  const random = new SeededRandom(seed).fork('truncation');
  if (!random.chance(TRUNCATION_CHANCE)) return [];
  const awayMs = random.between(4_000, 18_000);
  const atMs = awayMs + random.between(500, 7_000);
  const downMs = atMs - awayMs + random.between(10, 4_000);
  const faults: Fault[] = [1, 2, 3].map((number) => ({
    ...{ kind: 'crash', atMs: awayMs, process: `aggregator-${number}`, downMs },
  }));
  faults.push({ kind: 'truncation', atMs });
  // Without this one the operator rebuilds when everything has healed.
  if (random.chance(0.7)) {
    const rebuildMs = atMs + random.between(-1_000, 4_000);
    faults.push({ kind: 'rebuild', atMs: rebuildMs, distrusts: false, dropOld: random.chance(0.3) });
    if (random.chance(0.3)) faults.push(interruption(random, rebuildMs));
  }
  return faults;
}

function planUpgrade(random: SeededRandom): Fault[] {
  const atMs = random.between(3_000, 26_000);
  const faults: Fault[] = [{ kind: 'upgrade', atMs }];
  if (random.chance(0.5)) {
    const rebuildMs = atMs + random.between(-2_000, 3_000);
    faults.push({ kind: 'rebuild', atMs: rebuildMs, distrusts: random.chance(0.3), dropOld: false });
    faults.push(interruption(random, rebuildMs));
  }
  return faults;
}

/** Plans rebuilds that are killed and resumed, while runs are retired and their events are deleted. */
function planRebuilds(random: SeededRandom, runs: readonly string[]): Fault[] {
  const faults: Fault[] = [];
  let atMs = random.between(14_000, 18_000);
  for (let rebuilds = random.integer(1, 2); rebuilds > 0; rebuilds -= 1) {
    faults.push({ kind: 'retention', atMs: atMs - random.between(0, 2_000) });
    faults.push({ kind: 'retirement', atMs: atMs + random.between(-2_000, 3_000), run: random.pick(runs) });
    faults.push({ kind: 'rebuild', atMs, distrusts: random.chance(0.5), dropOld: random.chance(0.3) });
    faults.push(interruption(random, atMs));
    if (random.chance(0.5)) faults.push({ kind: 'retention', atMs: atMs + random.between(500, 9_000) });
    atMs += random.between(1_000, 8_000);
  }
  return faults;
}

function interruption(random: SeededRandom, rebuildMs: number): Fault {
  const atMs = rebuildMs + random.between(20, 2_000);
  return { kind: 'crash', atMs, process: 'rebuild-1', downMs: random.between(10, 9_000) };
}
