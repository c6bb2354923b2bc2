import { seededRandom } from '@runlog/cli/simulate/seeded-random';
import { encodeEvent, simulateRun } from '@runlog/cli/simulate/simulated-run';
import type { TelemetryEvent } from '@runlog/schema/events/event';

/** An event as a trainer sends it, and when it was received. */
export interface MadeEvent {
  readonly clusterId: string;
  readonly event: TelemetryEvent;
  /** The body that was sent: it may hold bare NaN. */
  readonly text: string;
  readonly atMs: number;
}

/** A run of the pictures: what it has sent, and what it goes on to send, if it is alive. */
export interface MadeRun {
  readonly key: string;
  readonly sent: readonly MadeEvent[];
  /** Returns the next event as of a time; null if the run has ended or is silent. */
  next(atMs: number): MadeEvent | null;
}

interface Plan {
  readonly key: string;
  readonly seed: number;
  readonly task?: string;
  readonly rewardMode?: string;
  readonly batches?: number;
  readonly failsInBatch?: number;
  /** How many of its events were sent; by default all. */
  readonly events?: number;
  /** The time of the last of them, before now. */
  readonly endedAgoMs?: number;
  /** How far apart events are, on average. */
  readonly everyMs?: number;
  readonly isAlive?: boolean;
  /** Changes what was sent. */
  readonly edit?: (events: MadeEvent[], random: () => number) => MadeEvent[];
}

/** Makes one run. The same plan and the same `nowMs` give the same events. */
export function madeRun(plan: Plan, nowMs: number): MadeRun {
  const { key, seed, events = Number.POSITIVE_INFINITY, endedAgoMs = 0, everyMs = 300 } = plan;
  const [clusterId = '', runId = '', groupId = ''] = key.split('/');
  const random = seededRandom(seed);
  let clockMs = 0;
  const clock = () => clockMs;
  const source = simulateRun(
    {
      ...{ runId, groupId, emitterId: `rank0-${seed.toString(16)}`, task: plan.task ?? 'tinystories' },
      ...{ rewardMode: plan.rewardMode ?? 'sparse', envs: 4, batches: plan.batches ?? 37, seed },
      failsInBatch: plan.failsInBatch ?? null,
    },
    { random, clock, ending: () => false },
  );
  const made = (event: TelemetryEvent, atMs: number): MadeEvent => ({
    ...{ clusterId, event, atMs },
    text: encodeEvent(event).toString('utf8'),
  });
  const raw: { event: TelemetryEvent; atMs: number }[] = [];
  while (raw.length < events) {
    // Trainers send in bursts: several events at once, and then nothing for a while.
    clockMs += random() < 0.6 ? 8 * random() : everyMs * 5 * random();
    const { value, done } = source.next();
    if (done === true) break;
    raw.push({ event: value, atMs: clockMs });
  }
  const shiftMs = nowMs - endedAgoMs - clockMs;
  const sent = raw.map(({ event, atMs }) => made(atTime(event, atMs + shiftMs), Math.round(atMs + shiftMs)));
  return {
    key,
    sent: plan.edit === undefined ? sent : plan.edit(sent, random),
    next(atMs) {
      if (plan.isAlive !== true) return null;
      clockMs = atMs;
      const { value, done } = source.next();
      return done === true ? null : made(value, atMs);
    },
  };
}

/** The same event at another time. */
function atTime(event: TelemetryEvent, atMs: number): TelemetryEvent {
  return { ...event, timestamp: new Date(Math.round(atMs)).toISOString() };
}

/** Leaves out the events from one place on, as if they had never arrived. */
export function without(from: number, count: number) {
  return (events: MadeEvent[]): MadeEvent[] => events.filter((_, at) => at < from || at >= from + count);
}

/** Adds an event of another process of the run, after the one at `place`. */
export function withEvent(place: number, of: Partial<TelemetryEvent> & { event_type: string }) {
  return (events: MadeEvent[]): MadeEvent[] => {
    const before = events[Math.min(place, events.length - 1)]!;
    const event: TelemetryEvent = {
      event_id: `${of.event_type.toLowerCase()}-${place}`,
      timestamp: before.event.timestamp,
      run_id: before.event.run_id,
      group_id: before.event.group_id,
      ...of,
    };
    const added = { ...before, event, text: JSON.stringify(event) };
    return [...events.slice(0, place + 1), added, ...events.slice(place + 1)];
  };
}

export const edited =
  (...edits: readonly ((events: MadeEvent[]) => MadeEvent[])[]) =>
  (events: MadeEvent[]): MadeEvent[] =>
    edits.reduce((made, edit) => edit(made), events);
