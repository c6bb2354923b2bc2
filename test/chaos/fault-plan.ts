import type { SeededRandom } from '../simulation/seeded-random.ts';

/** The partition whose leader is to be hit. */
export type Leads = 'events' | 'snapshots' | 'group' | 'transactions';

export type ServiceKind = 'aggregator' | 'gateway' | 'ingest';

/** A fault of the deployment. Every fault is healed after `forEvents` further acknowledged events. */
export type FaultAction =
  /** `kill -9`, then a new start. */
  | { readonly kind: 'kill'; readonly service: ServiceKind; readonly index: number }
  /** SIGTERM, which must end the process with exit code 0, then a new start. */
  | { readonly kind: 'leave'; readonly service: ServiceKind; readonly index: number }
  /** One more aggregator, which leaves again. */
  | { readonly kind: 'join' }
  /**
   * SIGSTOP with a transaction open, and SIGCONT when others have flushed the partitions. The process is then a zombie.
   */
  | { readonly kind: 'freeze until replaced'; readonly index: number }
  /** SIGSTOP and SIGCONT within the session. */
  | { readonly kind: 'freeze shortly'; readonly service: ServiceKind; readonly index: number }
  /** Another process takes the partition's writer id. Its holder is fenced, but is still the assignee. */
  | { readonly kind: 'usurp'; readonly partition: number }
  | { readonly kind: 'kill broker'; readonly leads: Leads; readonly partition: number }
  | { readonly kind: 'freeze broker'; readonly leads: Leads; readonly partition: number }
  | { readonly kind: 'kill all brokers' }
  /** Requests arrive late, answers are lost, connections end: between all services and all brokers. */
  | { readonly kind: 'disturb network' }
  /** `runlog verify` in the middle of all this. */
  | { readonly kind: 'verify' };

export interface PlannedFault {
  readonly action: FaultAction;
  /** The number of acknowledged events since the previous fault began. */
  readonly afterEvents: number;
  readonly forEvents: number;
}

export interface Shape {
  readonly aggregators: number;
  readonly gateways: number;
  readonly ingests: number;
  readonly partitions: number;
}

const KINDS = [
  ...(['kill aggregator', 'kill gateway', 'kill ingest', 'kill broker'] as const),
  ...(['freeze until replaced', 'usurp', 'leave aggregator', 'join', 'disturb network'] as const),
] as const;

const MORE_KINDS = [
  ...KINDS,
  ...KINDS,
  ...([
    'leave gateway',
    'leave ingest',
    'freeze shortly',
    'freeze broker',
    'kill all brokers',
    'verify',
  ] as const),
] as const;

type Kind = (typeof MORE_KINDS)[number];

/** Plans each kind of fault once, in an order that the seed determines. */
export function shortPlan(random: SeededRandom, shape: Shape): PlannedFault[] {
  return random.shuffled(KINDS).map((kind) => planned(kind, random, shape));
}

/** Plans faults without end, with every kind in each round. */
export function* endlessPlan(random: SeededRandom, shape: Shape): Generator<PlannedFault> {
  for (;;) {
    for (const kind of random.shuffled(MORE_KINDS)) yield planned(kind, random, shape);
  }
}

function planned(kind: Kind, random: SeededRandom, shape: Shape): PlannedFault {
  return {
    action: actionOf(kind, random, shape),
    afterEvents: random.integer(50, 500),
    forEvents: random.integer(20, 900),
  };
}

function actionOf(kind: Kind, random: SeededRandom, shape: Shape): FaultAction {
  const count = { aggregator: shape.aggregators, gateway: shape.gateways, ingest: shape.ingests };
  const one = (service: ServiceKind) => ({ service, index: random.integer(0, count[service] - 1) });
  const led = () => ({
    leads: random.pick(['events', 'snapshots', 'group', 'transactions'] as const),
    partition: random.integer(0, shape.partitions - 1),
  });
  switch (kind) {
    case 'kill aggregator':
      return { kind: 'kill', ...one('aggregator') };
    case 'kill gateway':
      return { kind: 'kill', ...one('gateway') };
    case 'kill ingest':
      return { kind: 'kill', ...one('ingest') };
    case 'leave aggregator':
      return { kind: 'leave', ...one('aggregator') };
    case 'leave gateway':
      return { kind: 'leave', ...one('gateway') };
    case 'leave ingest':
      return { kind: 'leave', ...one('ingest') };
    case 'join':
      return { kind };
    case 'freeze until replaced':
      return { kind, index: one('aggregator').index };
    case 'freeze shortly':
      return { kind, ...one(random.pick(['aggregator', 'gateway', 'ingest'] as const)) };
    case 'usurp':
      return { kind, partition: random.integer(0, shape.partitions - 1) };
    case 'kill broker':
    case 'freeze broker':
      return { kind, ...led() };
    case 'kill all brokers':
    case 'disturb network':
    case 'verify':
      return { kind };
    default: {
      const unreachable: never = kind;
      throw new Error(`unknown fault ${String(unreachable)}`);
    }
  }
}

/** Describes a fault for the log of a run. */
export function describeFault(action: FaultAction): string {
  const { kind, ...of } = action;
  const words = Object.entries(of).map(([name, value]) => `${name}=${value}`);
  return [kind, ...words].join(' ');
}
