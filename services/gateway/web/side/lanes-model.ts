import { visibleText } from '../text/visible-text.ts';
import { SEED_EVENTS_MAX, type SeedEvent } from './seed-events.ts';

/** The lanes that are drawn: those in which something happened last, if there are more. */
export const LANES_MAX = 256;

export type StageClass = 'germ' | 'train' | 'blend' | 'hold' | 'other';

/** A seed in one stage, from one event up to the next. */
export interface LifeSegment {
  readonly stage: StageClass;
  readonly fromSeq: number;
  /** Null while the seed is still in it. */
  readonly toSeq: number | null;
}

/**
 * How a life ended. `replaced`: the next seed germinated in the slot although nothing had ended this one. `abandoned`: the
 * training began anew.
 */
export type LifeEnd = 'fossilised' | 'pruned' | 'replaced' | 'abandoned';

/** The life of one seed, as its slot's events tell it. */
export interface SeedLife {
  readonly fromSeq: number;
  /** Its newest event, or what ended it. */
  readonly toSeq: number;
  /** False if the events begin in the middle of it. */
  readonly hasBeginning: boolean;
  readonly segments: readonly LifeSegment[];
  /** Null while it is open. */
  readonly end: LifeEnd | null;
  /** The blueprint that germinated; empty if it is not known. */
  readonly blueprint: string;
  /** The improvement or the reason that its end names. */
  readonly note: string;
}

/** The lives of the seeds of one environment's slot, one after the other. */
export interface Lane {
  readonly env: number | null;
  readonly slot: string;
  readonly lives: readonly SeedLife[];
}

export interface LanesModel {
  /** By environment and slot. */
  readonly lanes: readonly Lane[];
  readonly lanesLeftOut: number;
  /** The oldest event that the lanes are made of; null if there is none. */
  readonly oldestSeq: number | null;
  readonly counts: Readonly<Record<'fossilised' | 'pruned' | 'open', number>>;
}

const stages: Readonly<Record<string, StageClass>> = {
  GERMINATED: 'germ',
  TRAINING: 'train',
  BLENDING: 'blend',
  HOLDING: 'hold',
};
/** Stages that follow the end of a seed. They belong to no life. */
const endings: Readonly<Record<string, 'fossilised' | 'pruned'>> = {
  FOSSILIZED: 'fossilised',
  PRUNED: 'pruned',
  CULLED: 'pruned',
};
const afterLife: ReadonlySet<string> = new Set(['EMBARGOED', 'RESETTING', 'DORMANT', 'UNKNOWN']);

interface OpenLane {
  readonly env: number | null;
  readonly slot: string;
  readonly lives: OpenLife[];
}

type Changeable<Value> = { -readonly [Field in keyof Value]: Value[Field] };
type OpenLife = Changeable<Omit<SeedLife, 'segments'>> & {
  segments: Changeable<LifeSegment>[];
  /** Whether only a change of stage has ended it: its own event may follow. */
  awaitsEnd: boolean;
};

/** `events` are in the order of the log; `attempts` are the offsets of the run's TRAINING_STARTED. */
export function lanesOf(of: {
  events: readonly SeedEvent[];
  attempts: readonly { readonly seq: number }[];
}): LanesModel {
  const events = of.events.slice(-SEED_EVENTS_MAX);
  const lanes = new Map<string, OpenLane>();
  const starts = of.attempts.map(({ seq }) => seq);
  let begun = 0;
  for (const event of events) {
    for (; begun < starts.length && starts[begun]! < event.seq; begun += 1) abandonAll(lanes, starts[begun]!);
    tell(laneFor(lanes, event), event);
  }
  for (; begun < starts.length; begun += 1) abandonAll(lanes, starts[begun]!);
  const kept = [...lanes.values()].filter(({ lives }) => lives.length > 0);
  const newest = [...kept].sort((one, other) => newestOf(other) - newestOf(one)).slice(0, LANES_MAX);
  return {
    lanes: newest.sort(byPlace),
    lanesLeftOut: kept.length - newest.length,
    oldestSeq: events[0]?.seq ?? null,
    counts: countsOf(kept.flatMap(({ lives }) => lives)),
  };
}

function laneFor(lanes: Map<string, OpenLane>, { env, slot }: SeedEvent): OpenLane {
  const name = `${env} ${slot}`;
  const held = lanes.get(name) ?? { env, slot, lives: [] };
  lanes.set(name, held);
  return held;
}

function tell(lane: OpenLane, event: SeedEvent): void {
  const last = lane.lives.at(-1);
  const open = last?.end === null ? last : undefined;
  switch (event.kind) {
    case 'germinated':
      if (open !== undefined) close(open, event.seq, 'replaced');
      lane.lives.push({ ...lifeFrom(event, 'germ'), hasBeginning: true, blueprint: event.note });
      return;
    case 'changed':
      changeStage(lane, open, event);
      return;
    case 'gate':
      if (open !== undefined) open.toSeq = event.seq;
      return;
    case 'fossilised':
    case 'pruned':
      endLife(lane, { open, last, event, end: event.kind });
      return;
    default: {
      const unreachable: never = event.kind;
      throw new Error(`unknown event of a seed: ${String(unreachable)}`);
    }
  }
}

function changeStage(lane: OpenLane, open: OpenLife | undefined, event: SeedEvent): void {
  const to = event.to ?? '';
  const end = Object.hasOwn(endings, to) ? endings[to] : undefined;
  if (end !== undefined) {
    if (open === undefined) return;
    close(open, event.seq, end);
    open.awaitsEnd = true;
    return;
  }
  if (afterLife.has(to)) {
    // A slot that is cleared ends a life that nothing else has ended.
    if (open !== undefined) close(open, event.seq, 'replaced');
    return;
  }
  const stage = stageClass(to);
  if (open === undefined) {
    lane.lives.push(lifeFrom(event, stage));
    return;
  }
  const segment = open.segments.at(-1)!;
  open.toSeq = event.seq;
  if (segment.stage === stage) return;
  segment.toSeq = event.seq;
  open.segments.push({ stage, fromSeq: event.seq, toSeq: null });
}

function endLife(
  lane: OpenLane,
  of: {
    open: OpenLife | undefined;
    last: OpenLife | undefined;
    event: SeedEvent;
    end: 'fossilised' | 'pruned';
  },
): void {
  const { open, last, event, end } = of;
  let ended = open;
  if (ended === undefined && last?.awaitsEnd === true && last.end === end) ended = last;
  if (ended === undefined) {
    // Nothing else of this life is known.
    ended = lifeFrom(event, 'other');
    ended.segments = [];
    lane.lives.push(ended);
  }
  close(ended, event.seq, end);
  ended.awaitsEnd = false;
  ended.note = event.note;
}

function lifeFrom(event: SeedEvent, stage: StageClass): OpenLife {
  return {
    ...{ fromSeq: event.seq, toSeq: event.seq, hasBeginning: false, end: null, awaitsEnd: false },
    ...{ blueprint: '', note: '' },
    segments: [{ stage, fromSeq: event.seq, toSeq: null }],
  };
}

function close(life: OpenLife, seq: number, end: LifeEnd): void {
  const segment = life.segments.at(-1);
  if (segment !== undefined && segment.toSeq === null) segment.toSeq = seq;
  life.toSeq = seq;
  life.end = end;
}

function abandonAll(lanes: ReadonlyMap<string, OpenLane>, seq: number): void {
  for (const { lives } of lanes.values()) {
    const last = lives.at(-1);
    if (last === undefined) continue;
    if (last.end === null) close(last, seq, 'abandoned');
    last.awaitsEnd = false;
  }
}

/** Returns how a stage is drawn. Names that are not known are all drawn alike. */
export function stageClass(stage: string): StageClass {
  return Object.hasOwn(stages, stage) ? stages[stage]! : 'other';
}

/** Returns `e02 r0c1`. */
export function laneName({ env, slot }: Pick<Lane, 'env' | 'slot'>): string {
  return `e${env === null ? '--' : String(env).padStart(2, '0')} ${visibleText(slot) || '?'}`;
}

function newestOf({ lives }: Lane): number {
  return lives.at(-1)?.toSeq ?? -1;
}

function byPlace(one: Lane, other: Lane): number {
  const env = (one.env ?? Number.POSITIVE_INFINITY) - (other.env ?? Number.POSITIVE_INFINITY);
  if (env !== 0 && !Number.isNaN(env)) return env;
  return one.slot.localeCompare(other.slot, 'en', { numeric: true });
}

function countsOf(lives: readonly SeedLife[]): LanesModel['counts'] {
  const number = (end: LifeEnd | null) => lives.filter((life) => life.end === end).length;
  return { fossilised: number('fossilised'), pruned: number('pruned'), open: number(null) };
}
