import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { formatFilter, noFilter, parseFilter } from '../log/log-filter.ts';
import { eventFields, eventTimes, FIELDS_MAX, lineOfEvent, narrowedBy } from './event-fields.ts';

const entry = (overrides: Partial<EventLogEntry> = {}): EventLogEntry => ({
  ...{ timestamp: '07:12:38', event_type: 'SEED_PRUNED', env_id: 2, message: 'no gain', episode: 12 },
  ...{ seq: 41, occurred_at: '2026-11-27T07:12:38Z', severity: 'warning' },
  metadata: { event_id: 'e-41', slot_id: 'r0c1', reason: 'stagnation' },
  values: { epochs: 7 },
  ...overrides,
});
const stored = (overrides: Partial<StoredEvent> = {}): StoredEvent => ({
  ...{ seq: 41, received_at: '2026-11-27T07:12:38.040Z', entry: entry(), duplicate: false },
  event: {
    ...{ event_id: 'e-41', event_type: 'SEED_PRUNED', timestamp: '2026-11-27T07:12:38Z', run_id: 'r' },
    ...{ emitter_id: 'rank0', emitter_seq: 41, seed_id: null },
    data: { slot_id: 'r0c1', reason: 'stagnation', epochs: 7, tree: { a: [1] }, unlisted: 9.5 },
  },
  ...overrides,
});
const field = (name: string, of = stored()) => eventFields(of).find((each) => each.name === name);

describe('the fields of an event', () => {
  it('are all of them, each once, without those that the head shows', () => {
    expect(eventFields(stored()).map(({ name, value }) => [name, value])).toEqual([
      ['event_type', 'SEED_PRUNED'],
      ['severity', 'warning'],
      ['env_id', '2'],
      ['slot_id', 'r0c1'],
      ['message', 'no gain'],
      ['episode', '12'],
      ['event_id', 'e-41'],
      ['emitter_id', 'rank0'],
      ['emitter_seq', '41'],
      ['reason', 'stagnation'],
      ['epochs', '7'],
      ['tree', '{"a":[1]}'],
      ['unlisted', '9.5'],
    ]);
  });

  it.each([
    ['event_type', 'type:SEED_PRUNED'],
    ['severity', 'severity:=warning'],
    ['env_id', 'env:2'],
    ['slot_id', 'slot:r0c1'],
    ['message', '"no gain"'],
    ['reason', '"stagnation"'],
    ['epochs', '"7"'],
  ])('%s narrows the log to %s', (name, typed) => {
    const parsed = parseFilter(typed);
    expect(parsed).toMatchObject({ kind: 'filter' });
    const expected = parsed.kind === 'filter' ? parsed.filter : null;
    expect(narrowedBy(noFilter, field(name)!.filter!)).toEqual(expected);
  });

  it.each(['unlisted', 'tree', 'emitter_seq', 'episode'])('%s cannot be searched for', (name) => {
    expect(field(name)!.filter).toBeNull();
  });

  it('of a heartbeat, which has no entry, are those that were sent', () => {
    expect(eventFields(stored({ entry: null })).map(({ name }) => name)).toContain('slot_id');
    expect(eventFields(stored({ entry: null })).every(({ filter }) => filter === null)).toBe(true);
  });

  it('are bounded', () => {
    const data = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`f${at}`, at]));
    expect(eventFields(stored({ event: { data } }))).toHaveLength(FIELDS_MAX);
  });

  it('replace what the filter said of them, and keep the rest', () => {
    const filter = { ...noFilter, types: ['A'], notTypes: ['SEED_PRUNED', 'B'], envs: [1] };
    const narrowed = narrowedBy(filter, { types: ['SEED_PRUNED'] });
    expect(formatFilter(narrowed)).toBe(
      formatFilter({ ...noFilter, types: ['SEED_PRUNED'], notTypes: ['B'], envs: [1] }),
    );
  });
});

describe('the times of an event', () => {
  it.each([
    ['2026-11-27T07:12:38.040Z', 40],
    ['2026-11-27T07:12:30Z', -8_000],
    [null, null],
  ])('received at %s differ by %s ms', (received_at, laterMs) => {
    expect(eventTimes(stored({ received_at })).laterMs).toBe(laterMs);
  });

  it('of a sender without a time differ by nothing that is known', () => {
    expect(eventTimes(stored({ event: {} })).laterMs).toBeNull();
  });
});

describe('what comes before and after an event', () => {
  const lineOf = (of: Partial<EventLogEntry>) => lineOfEvent(entry(of), (env) => `e0${env}`);

  it('is the life in its slot, else its environment, else the run', () => {
    expect(lineOf({})).toEqual({ name: 'e02 r0c1', query: { env: [2], slot: ['r0c1'] } });
    expect(lineOf({ metadata: {} })).toEqual({ name: 'e02', query: { env: [2] } });
    expect(lineOf({ env_id: null })).toEqual({ name: 'r0c1', query: { slot: ['r0c1'] } });
    expect(lineOf({ env_id: null, metadata: {} })).toEqual({ name: 'this run', query: {} });
    expect(lineOf({ metadata: {}, values: { slot_id: 'a,b' } })).toEqual({
      name: 'e02',
      query: { env: [2] },
    });
    expect(lineOfEvent(null, String)).toEqual({ name: 'this run', query: {} });
  });
});
