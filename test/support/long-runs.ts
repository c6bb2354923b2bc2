import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import type { RecordToAppend } from '@runlog/topic-io/topic-io';
import { expect } from 'vitest';
import { batchCompleted, epochCompleted, otherEvent, trainingStarted } from './event-factory.ts';
import { type foldedLive, recordToAppend } from './past-log.ts';

/** Events of a training: rounds of 40 events each, with heartbeats, restarts and events that come again. */
export function training(
  events: number,
  overrides: Omit<Partial<TelemetryEvent>, 'data'> = {},
): TelemetryEvent[] {
  const made: TelemetryEvent[] = [trainingStarted(overrides)];
  for (let index = 1; index < events; index += 1) {
    const round = Math.floor(index / 40);
    if (index % 997 === 0) made.push(trainingStarted({ ...overrides, data: { start_episode: round } }));
    else if (index % 40 === 0) {
      made.push(batchCompleted({ ...overrides, data: { episodes_completed: round * 4, batch_idx: round } }));
    } else if (index % 41 === 0) made.push(made.at(-1)!);
    else if (index % 17 === 0) made.push(otherEvent('RUN_HEARTBEAT', overrides));
    else made.push(epochCompleted({ ...overrides, data: { env_id: index % 4 } }));
  }
  return made;
}

/** Puts the events of many runs into one log, one of each run after the other. */
export function interleaved(runs: readonly (readonly TelemetryEvent[])[]): RecordToAppend[] {
  const longest = Math.max(...runs.map((events) => events.length));
  const events: TelemetryEvent[] = [];
  for (let index = 0; index < longest; index += 1) {
    for (const run of runs) events.push(...run.slice(index, index + 1));
  }
  return events.map(recordToAppend);
}

/** Asserts that the events say what went out live. */
export function expectLive(events: readonly StoredEvent[], live: ReturnType<typeof foldedLive>): void {
  for (const { seq, entry, duplicate } of events) {
    if (duplicate !== null) {
      expect(entry).toEqual(live.entries.get(seq) ?? null);
      expect(duplicate).toBe(live.repeats.has(seq));
    } else if (!live.repeats.has(seq)) expect(entry).toEqual(live.entries.get(seq) ?? null);
  }
}
