import { readFileSync } from 'node:fs';
import { logEntryOf } from '@runlog/run-state/log-entry';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { eventTypeOf } from '@runlog/schema/events/event-types';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

type PageCase = 'clock-set-back' | 'cut-in-a-pair' | 'direction-override';

/** The events of test/fixtures/page/NAME.ndjson. */
export function pageCaseEvents(name: PageCase): readonly TelemetryEvent[] {
  const text = readFileSync(new URL(`../fixtures/page/${name}.ndjson`, import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TelemetryEvent);
}

/** The same as entries, with seqs from 1 on. */
export function pageCase(name: PageCase): readonly EventLogEntry[] {
  return pageCaseEvents(name).map((event, at) =>
    logEntryOf(event, { type: eventTypeOf(event.event_type), episode: 0, seq: at + 1 }),
  );
}
