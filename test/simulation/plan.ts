import { planTheme } from './plan-theme.ts';
import { SeededRandom } from './seeded-random.ts';

/** One complete event of an emitter. It has the same bytes however often it is sent. */
export interface PlannedEvent {
  readonly id: string;
  readonly run: string;
  readonly type: string;
  readonly emitter: string;
  /** Null if the emitter does not number its events. */
  readonly emitterSeq: number | null;
}

export interface PlannedRequest {
  readonly atMs: number;
  readonly emitter: string;
  readonly events: readonly PlannedEvent[];
  /** The delay after which a network or an impatient client also sends a copy; null if there is none. */
  readonly copyAfterMs: number | null;
}

export type Fault =
  | { readonly kind: 'crash'; readonly atMs: number; readonly process: string; readonly downMs: number }
  | { readonly kind: 'stop'; readonly atMs: number; readonly process: string; readonly downMs: number }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly process: string; readonly forMs: number }
  | { readonly kind: 'emitter dies'; readonly atMs: number; readonly emitter: string }
  | { readonly kind: 'outage'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'loss'; readonly atMs: number; readonly forMs: number; readonly chance: number }
  | {
      readonly kind: 'rebuild';
      readonly atMs: number;
      readonly distrusts: boolean;
      readonly dropOld: boolean;
    }
  | { readonly kind: 'rebalance'; readonly atMs: number }
  | { readonly kind: 'compaction'; readonly atMs: number; readonly share: number }
  | { readonly kind: 'retention'; readonly atMs: number }
  | { readonly kind: 'truncation'; readonly atMs: number }
  | { readonly kind: 'retirement'; readonly atMs: number; readonly run: string }
  | { readonly kind: 'leap'; readonly atMs: number; readonly byMs: number; readonly isCounted: boolean }
  | { readonly kind: 'events deleted'; readonly atMs: number; readonly downMs: number }
  | { readonly kind: 'upgrade'; readonly atMs: number }
  | { readonly kind: 'poison'; readonly atMs: number; readonly run: string }
  | { readonly kind: 'disconnect'; readonly atMs: number; readonly client: number; readonly resume: Resume }
  | { readonly kind: 'stall'; readonly atMs: number; readonly client: number; readonly forMs: number };

/** What a client resumes with: the position that it holds, nothing, or a position of a former epoch. */
export type Resume = 'since' | 'nothing' | 'other epoch';

/** Everything that happens to a history from outside. The rest (delays and ties) follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly partitions: number;
  readonly runs: readonly string[];
  readonly aggregators: number;
  readonly gateways: number;
  readonly ingests: number;
  /** The clients, and whether the unread messages of each count as large. */
  readonly clients: readonly { readonly isHeavy: boolean }[];
  readonly requests: readonly PlannedRequest[];
  readonly faults: readonly Fault[];
  readonly snapshotIntervalMs: number;
  readonly snapshotBytesPerSecond: number;
  readonly latencyMsMax: number;
  readonly slowChance: number;
  readonly slowMsMax: number;
  readonly recordsPerAnswerMax: number;
  /** The longest pause of slow readers between two fetches. */
  readonly fetchPauseMsMax: number;
  readonly markerDelayMsMax: number;
  /** Null if compaction happens only as a fault. */
  readonly cleanerDelayMsMax: number | null;
}

/** Requests and faults happen before this time. Then everything heals. */
export const HEAL_AT_MS = 32_000;
const PUBLISH_MS = 25_000;
const LONG_EVENTS = 260;
const EVENT_TYPES = [
  'EPOCH_COMPLETED',
  'EPOCH_COMPLETED',
  'EPOCH_COMPLETED',
  'BATCH_EPOCH_COMPLETED',
  'SEED_FOSSILIZED',
  'RUN_HEARTBEAT',
  'PPO_UPDATE_COMPLETED',
  'CUSTOM',
] as const;

/** Makes the plan of a seed. */
export function planOf(seed: number): Plan {
  const random = new SeededRandom(seed).fork('plan');
  const runs = Array.from({ length: random.integer(2, 3) }, (_, index) => `c1/r${index + 1}/default`);
  const shape = {
    aggregators: random.integer(1, 3),
    gateways: random.integer(1, 2),
    ingests: random.integer(1, 2),
    clients: Array.from({ length: random.integer(1, 2) }, () => ({ isHeavy: random.chance(0.4) })),
  };
  const theme = planTheme(seed, runs);
  const isCalm = random.chance(0.3);
  const requests = planRequests(random, runs);
  const faults = [...planFaults(random, { runs, ...shape }), ...theme.faults, ...planAbsence(seed, requests)];
  return {
    seed,
    partitions: 2,
    runs,
    ...shape,
    requests,
    faults: faults.sort((a, b) => a.atMs - b.atMs),
    snapshotIntervalMs: random.pick([1_000, 2_000, 2_000, 5_000]),
    snapshotBytesPerSecond: random.pick([600, 3_000, 1_000_000, 1_000_000]),
    latencyMsMax: random.pick([2, 20, 200]),
    slowChance: isCalm ? 0 : random.pick([0.01, 0.05, 0.15]),
    slowMsMax: random.pick([500, 4_000, 9_000]),
    recordsPerAnswerMax: random.pick([2, 5, 50]),
    fetchPauseMsMax: random.pick([0, 0, 1_500]),
    markerDelayMsMax: random.pick([0, 5, 300]),
    cleanerDelayMsMax: random.pick([null, 20, 1_000]),
    ...theme.changes,
  };
}

function planRequests(random: SeededRandom, runs: readonly string[]): PlannedRequest[] {
  const emitters = Array.from({ length: random.integer(1, 4) }, (_, index) => ({
    name: `emitter-${index + 1}`,
    numbers: random.chance(0.75),
    // There are several emitters per run and several runs per emitter.
    runs: runs.filter(() => random.chance(0.6)),
    seqs: new Map<string, number>(),
  }));
  for (const emitter of emitters) if (emitter.runs.length === 0) emitter.runs = [random.pick(runs)];
  // A few histories are long enough for entries to be pushed out of the event log.
  const isLong = random.chance(0.03);
  const eventsMax = isLong ? LONG_EVENTS : random.integer(10, 45);
  const perRequestMax = isLong ? 40 : random.pick([1, 3, 6]);
  const times: number[] = [];
  let planned = 0;
  const sizes: number[] = [];
  while (planned < eventsMax) {
    const size = random.integer(1, perRequestMax);
    sizes.push(size);
    times.push(random.between(500, PUBLISH_MS));
    planned += size;
  }
  times.sort((a, b) => a - b);
  let made = 0;
  return sizes.map((size, index) => {
    const emitter = random.pick(emitters);
    const events = Array.from({ length: size }, (): PlannedEvent => {
      made += 1;
      const run = isLong ? emitter.runs[0]! : random.pick(emitter.runs);
      const seq = (emitter.seqs.get(run) ?? 0) + 1;
      emitter.seqs.set(run, seq);
      const type = seq === 1 ? 'TRAINING_STARTED' : random.pick(EVENT_TYPES);
      return {
        id: `event-${made}`,
        run,
        type,
        emitter: emitter.name,
        emitterSeq: emitter.numbers ? seq : null,
      };
    });
    const copyAfterMs = random.chance(0.08) ? random.between(0, 9_000) : null;
    return { atMs: times[index]!, emitter: emitter.name, events, copyAfterMs };
  });
}

/** Plans that a client of a long history reads nothing for so long that entries are pushed out of the event log meanwhile. */
function planAbsence(seed: number, requests: readonly PlannedRequest[]): Fault[] {
  if (requests.reduce((sum, { events }) => sum + events.length, 0) < LONG_EVENTS) return [];
  const random = new SeededRandom(seed).fork('absence');
  const atMs = random.between(2_000, 6_000);
  const forMs = random.between(14_000, 22_000);
  return [
    { kind: 'stall', atMs, client: 0, forMs },
    ...(random.chance(0.5)
      ? [{ kind: 'disconnect', atMs: atMs + forMs - 500, client: 0, resume: 'since' } as const]
      : []),
  ];
}

function planFaults(
  random: SeededRandom,
  shape: {
    runs: readonly string[];
    aggregators: number;
    gateways: number;
    ingests: number;
    clients: readonly unknown[];
  },
): Fault[] {
  const faults: Fault[] = [];
  const count = random.integer(0, 8);
  for (let index = 0; index < count; index += 1) {
    faults.push(planFault(random, shape));
  }
  return faults;
}

function planFault(random: SeededRandom, shape: Parameters<typeof planFaults>[1]): Fault {
  const atMs = random.between(500, HEAL_AT_MS - 2_000);
  // The aggregators make the hardest promises, so they get the most faults.
  const ofProcess = () =>
    random.pick([
      `aggregator-${random.integer(1, shape.aggregators)}`,
      `aggregator-${random.integer(1, shape.aggregators)}`,
      `gateway-${random.integer(1, shape.gateways)}`,
      `gateway-${random.integer(1, shape.gateways)}`,
      `ingest-${random.integer(1, shape.ingests)}`,
      'rebuild-1',
    ]);
  const client = random.integer(0, shape.clients.length - 1);
  const run = random.pick(shape.runs);
  const kind = random.pick([
    ...(['crash', 'crash', 'freeze', 'freeze', 'stop', 'outage', 'loss', 'rebalance', 'rebalance'] as const),
    ...(['compaction', 'compaction', 'retention', 'retirement', 'poison', 'rebuild'] as const),
    ...(['disconnect', 'disconnect', 'stall', 'stall', 'emitter dies'] as const),
  ]);
  switch (kind) {
    case 'crash':
    case 'stop':
      return { kind, atMs, process: ofProcess(), downMs: random.between(10, 12_000) };
    case 'freeze':
      return { kind, atMs, process: ofProcess(), forMs: random.between(100, 20_000) };
    case 'emitter dies':
      return { kind, atMs, emitter: `emitter-${random.integer(1, 4)}` };
    case 'outage':
      return { kind, atMs, forMs: random.between(100, 8_000) };
    case 'loss':
      return { kind, atMs, forMs: random.between(1_000, 15_000), chance: random.between(0.02, 0.3) };
    case 'rebuild':
      return { kind, atMs, distrusts: random.chance(0.6), dropOld: random.chance(0.3) };
    case 'rebalance':
      return { kind, atMs };
    case 'compaction':
      return { kind, atMs, share: random.pick([0.3, 0.7, 1]) };
    case 'retention':
      return { kind, atMs };
    case 'retirement':
    case 'poison':
      return { kind, atMs, run };
    case 'disconnect':
      return { kind, atMs, client, resume: random.pick(['since', 'since', 'nothing', 'other epoch']) };
    case 'stall':
      return { kind, atMs, client, forMs: random.between(500, 40_000) };
    default: {
      const unreachable: never = kind;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}
