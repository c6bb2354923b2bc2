import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../test/support/entry-factory.ts';
import { clockOf, EventLogLines, envsOf, titleOf } from './event-log-lines.ts';

let made = 0;

function entry(eventType: string, overrides: Partial<EventLogEntry> = {}): EventLogEntry {
  made += 1;
  return entryOf({ event_type: eventType, message: '', seq: made, ...overrides });
}

const textOf = (line: { spans: readonly { text: string }[] }) =>
  line.spans
    .map((span) => span.text)
    .join('')
    .trimEnd();
describe('the lines of the event log', () => {
  it('rolls up events that are not individual, by second and type, with the distinct environments', () => {
    const eventLog = new EventLogLines();
    for (let at = 0; at < 16; at += 1) eventLog.add(entry('EPOCH_COMPLETED', { env_id: at % 5 }));
    eventLog.add(entry('REWARD_COMPUTED'));
    expect(eventLog.lines.map(textOf)).toEqual(['EPOCH ×16', 'REWARD ×1']);
    expect(envsOf(eventLog.lines[0]!)).toBe('0 1 2+');
    expect(envsOf({ envIds: [3, 1, 2] })).toBe('3 1 2');
  });

  it('does not roll up across seconds, nor individual events', () => {
    const eventLog = new EventLogLines();
    eventLog.add(entry('EPOCH_COMPLETED'));
    eventLog.add(entry('EPOCH_COMPLETED', { occurred_at: '2026-01-03T23:59:48.000000+00:00' }));
    eventLog.add(entry('SEED_PRUNED'));
    eventLog.add(entry('SEED_PRUNED'));
    expect(eventLog.lines).toHaveLength(4);
  });

  it('takes an event once, however often it comes', () => {
    const eventLog = new EventLogLines();
    const same = entry('EPOCH_COMPLETED');
    for (let at = 0; at < 3; at += 1) eventLog.add(same);
    expect(eventLog.lines.map(textOf)).toEqual(['EPOCH ×1']);
  });

  it('sorts by second and arrival, also across midnight', () => {
    const eventLog = new EventLogLines();
    eventLog.add(
      entry('SEED_PRUNED', { occurred_at: '2026-01-04T00:00:01+00:00', metadata: { slot_id: 'c' } }),
    );
    eventLog.add(
      entry('SEED_PRUNED', { occurred_at: '2026-01-03T23:59:59.9+00:00', metadata: { slot_id: 'a' } }),
    );
    eventLog.add(
      entry('SEED_PRUNED', { occurred_at: '2026-01-03T23:59:59.1+00:00', metadata: { slot_id: 'b' } }),
    );
    expect(eventLog.lines.map(textOf)).toEqual(['a PRUNE', 'b PRUNE', 'c PRUNE']);
  });

  it('sorts by every form of a timestamp', () => {
    const eventLog = new EventLogLines();
    const forms = [
      '2026-01-03T23:59:48+00',
      '2026-01-03 23:59:47,9z',
      '20260103T235946Z',
      '2026-01-03T23:59:45Z',
    ];
    for (const [at, occurred_at] of forms.entries())
      eventLog.add(entry('SEED_PRUNED', { occurred_at, metadata: { slot_id: `${at}` } }));
    expect(eventLog.lines.map(textOf)).toEqual(['3 PRUNE', '2 PRUNE', '1 PRUNE', '0 PRUNE']);
  });

  it('keeps the newest 300 lines and counts the others', () => {
    const eventLog = new EventLogLines();
    for (let at = 0; at < 450; at += 1) eventLog.add(entry('SEED_PRUNED'));
    eventLog.add(entry('EPOCH_COMPLETED', { occurred_at: '2020-01-01T00:00:00+00:00' }));
    expect(eventLog.lines).toHaveLength(300);
    expect(eventLog.trimmed).toBe(151);
  });

  it('says how many events were not shown', () => {
    const eventLog = new EventLogLines();
    eventLog.addGap({ count: 1_200 });
    eventLog.addGap({ count: null });
    expect(eventLog.lines.map(textOf)).toEqual(['… 1,200 events not shown', '… events are missing here']);
  });
});

describe('clock and title', () => {
  it('shows the full time on the first line and on the first of each minute', () => {
    const at = (text: string) => ({ secondMs: Date.parse(text) });
    expect(clockOf(at('2026-01-03T23:59:47Z'), undefined)).toBe('23:59:47');
    expect(clockOf(at('2026-01-03T23:59:48Z'), at('2026-01-03T23:59:47Z'))).toBe('     :48');
    expect(clockOf(at('2026-01-04T00:00:00Z'), at('2026-01-03T23:59:48Z'))).toBe('00:00:00');
    expect(clockOf(at('2026-01-04T23:59:48Z'), at('2026-01-03T23:59:48Z'))).toBe('23:59:48');
    expect(clockOf(at('+010000-01-01T11:59:59Z'), undefined)).toBe('11:59:59');
    expect(clockOf(at('-000001-12-31T10:00:01Z'), at('-000001-12-31T10:00:00Z'))).toBe('     :01');
  });

  it('shows a decimal in a rate below 100 a second', () => {
    expect(titleOf({ events: 1_234, eventsPerSecond: 45.23 })).toBe('EVENTS 1,234 (45.2/s)');
    expect(titleOf({ events: 0, eventsPerSecond: 1_234.5 })).toBe('EVENTS 0 (1,235/s)');
  });
});
