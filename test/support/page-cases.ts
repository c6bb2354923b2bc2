import { readFileSync } from 'node:fs';
import { logEntryOf } from '@runlog/run-state/log-entry';
import type { TelemetryEvent } from '@runlog/schema/events/event';
import { eventTypeOf } from '@runlog/schema/events/event-types';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';

/** The events of test/fixtures/page/NAME.ndjson as entries, with seqs from 1 on. */
export function pageCase(
  name: 'clock-set-back' | 'cut-in-a-pair' | 'direction-override',
): readonly EventLogEntry[] {
  const text = readFileSync(new URL(`../fixtures/page/${name}.ndjson`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, at) => {
      const event = JSON.parse(line) as TelemetryEvent;
      return logEntryOf(event, { type: eventTypeOf(event.event_type), episode: 0, seq: at + 1 });
    });
}
