import { describe, expect, it } from 'vitest';
import { foldEvents, otherEvent } from '../../../test/support/event-factory.ts';
import { deliverEntry } from './delivery.ts';

describe('a delivered entry', () => {
  it.each(['2026-01-03T23:59:47Z', '2026-01-03T23:59:47+00', '20260103T235947Z', '2026-01-03 23:59:47,0z'])(
    'of %s says its age',
    (timestamp) => {
      const [entry] = foldEvents([otherEvent('PROBE', { timestamp })]).event_log;
      const nowMs = Date.parse('2026-01-03T23:59:57Z');
      expect(deliverEntry(entry!, nowMs).relative_time).toBe('(10s ago)');
    },
  );
});
