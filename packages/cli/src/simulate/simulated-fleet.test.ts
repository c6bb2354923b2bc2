import { quoteNonFinite } from '@runlog/ingest/split-body';
import { eventSchemas } from '@runlog/schema/events/event-schemas';
import { validateEvent } from '@runlog/schema/events/validate-event';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from './seeded-random.ts';
import { createFleet, type FleetEvent } from './simulated-fleet.ts';
import { encodeEvent } from './simulated-run.ts';

const START_MS = Date.UTC(2026, 0, 3, 23, 59, 0);

function simulated(options: { seed: number; runs: number; events: number }): FleetEvent[] {
  let nowMs = START_MS;
  const fleet = createFleet({
    runs: options.runs,
    random: seededRandom(options.seed),
    clock: () => {
      nowMs += 20;
      return nowMs;
    },
    name: 'sim',
  });
  const events: FleetEvent[] = [];
  for (let made = 0; made < options.events; made += 1) events.push(fleet.next()!);
  fleet.end();
  for (let next = fleet.next(); next !== null; next = fleet.next()) events.push(next);
  return events;
}

const inputs = {
  seed: fc.nat(),
  runs: fc.integer({ min: 1, max: 12 }),
  events: fc.integer({ min: 0, max: 3_000 }),
};

function keyOf({ clusterId, event }: FleetEvent): string {
  return `${clusterId}/${event.run_id}/${event.group_id}`;
}

function byRun(events: readonly FleetEvent[]): Map<string, FleetEvent[]> {
  const runs = new Map<string, FleetEvent[]>();
  for (const event of events) runs.set(keyOf(event), [...(runs.get(keyOf(event)) ?? []), event]);
  return runs;
}

describe('simulated training runs', () => {
  test('every event is valid in the bytes that are sent', () => {
    fc.assert(
      fc.property(fc.record(inputs), (input) => {
        for (const { event } of simulated(input)) {
          const line = encodeEvent(event);
          const strict = JSON.parse((quoteNonFinite(line) ?? line).toString('utf8')) as unknown;
          expect(validateEvent(strict)).toHaveProperty('event');
        }
      }),
      { numRuns: 15 },
    );
  });

  test('every run is numbered 1, 2, 3 … by one emitter, in order of time', () => {
    fc.assert(
      fc.property(fc.record(inputs), (input) => {
        for (const events of byRun(simulated(input)).values()) {
          expect(events.map(({ event }) => event.emitter_seq)).toEqual(events.map((_, at) => at + 1));
          expect(new Set(events.map(({ event }) => event.emitter_id)).size).toBe(1);
          const times = events.map(({ event }) => event.timestamp);
          expect(times).toEqual([...times].sort());
        }
      }),
      { numRuns: 15 },
    );
  });

  test('every run begins with TRAINING_STARTED and, once the fleet has ended, has said how it ended', () => {
    fc.assert(
      fc.property(fc.record(inputs), (input) => {
        for (const events of byRun(simulated(input)).values()) {
          const types = events.map(({ event }) => event.event_type);
          expect(types[0]).toBe('TRAINING_STARTED');
          expect(types.at(-1)).toMatch(/^RUN_(FINISHED|FAILED)$/);
          expect(types.filter((type) => /^RUN_/.test(type))).toHaveLength(1);
        }
      }),
      { numRuns: 15 },
    );
  });

  test('a seed germinates before anything else happens to it, and nothing happens to it after its end', () => {
    for (const events of byRun(simulated({ seed: 7, runs: 6, events: 6_000 })).values()) {
      const alive = new Set<string>();
      for (const { event } of events) {
        if (!event.event_type.startsWith('SEED_')) continue;
        const seed = event.seed_id!;
        if (event.event_type === 'SEED_GERMINATED') alive.add(seed);
        expect(alive.has(seed)).toBe(true);
        if (['SEED_FOSSILIZED', 'SEED_PRUNED'].includes(event.event_type)) alive.delete(seed);
      }
    }
  });

  test('a few thousand events hold all ten types, three clusters, both groups, a failure and bare NaN', () => {
    const events = simulated({ seed: 1, runs: 6, events: 12_000 });
    const types = new Set(events.map(({ event }) => event.event_type));
    expect([...types]).toEqual(
      expect.arrayContaining([...Object.keys(eventSchemas.current), 'RUN_FINISHED', 'RUN_FAILED']),
    );
    expect(new Set(events.map(({ clusterId }) => clusterId))).toEqual(new Set(['c1', 'c2', 'c3']));
    expect(new Set(events.map(({ event }) => event.group_id))).toEqual(new Set(['default', 'A', 'B']));
    expect(
      events.filter(
        ({ event }) => encodeEvent(event).includes(': NaN') || encodeEvent(event).includes(':NaN'),
      ),
    ).not.toHaveLength(0);
  });

  test('the same seed gives the same runs, and no event id occurs twice', () => {
    const one = simulated({ seed: 42, runs: 5, events: 2_000 });
    expect(simulated({ seed: 42, runs: 5, events: 2_000 })).toEqual(one);
    expect(new Set(one.map(({ event }) => event.event_id)).size).toBe(one.length);
  });

  test('as many runs train at a time as were asked for', () => {
    for (const runs of [1, 2, 3, 6, 7]) {
      const events = simulated({ seed: runs, runs, events: 400 * runs });
      const open = new Set<string>();
      let most = 0;
      for (const next of events) {
        if (/^RUN_/.test(next.event.event_type)) open.delete(keyOf(next));
        else open.add(keyOf(next));
        most = Math.max(most, open.size);
      }
      expect(most).toBe(runs);
    }
  });
});
