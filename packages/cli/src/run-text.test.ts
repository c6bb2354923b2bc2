import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { describe, expect, it } from 'vitest';
import { deliveredSnapshot } from '../../../test/support/entry-factory.ts';
import { runText } from './run-text.ts';

const NOW_MS = Date.parse('2026-01-04T00:00:05Z');

/** Returns the lines after the run's name, by what they begin with. */
function said(overrides: Partial<DeliveredSnapshot>): Record<string, string> {
  const [title, ...lines] = runText(deliveredSnapshot(overrides), NOW_MS).split('\n');
  expect(title).toBe('c1/r1/default');
  return Object.fromEntries(lines.map((line) => [line.slice(2, 11).trim(), line.slice(12)]));
}

describe('the text of a run', () => {
  it('says nothing of ends, attempts, gaps, conflicts and beginnings that are not known', () => {
    expect(Object.keys(said({}))).toEqual(['status', 'task', 'progress', 'batch', 'seeds', 'events']);
    expect(said({}).events).toBe('1 (0 duplicates dropped, 0 missing)');
    expect(said({}).status).toBe('running, stale; last event 5s ago');
  });

  it.each([
    [0, '1 ms'],
    [250, '250 ms'],
    [2_140, '2.1s'],
    [25_000, '25s'],
    [200_000, '3m 20s'],
  ])('says the usual interval of %d ms', (interval_ms, text) => {
    expect(said({ interval_ms }).status).toBe(`running, stale; last event 5s ago; usually one in ${text}`);
  });

  it.each<[overrides: Partial<DeliveredSnapshot>, text: string]>([
    [{ state: 'quiet', interval_ms: 2_140 }, 'quiet 2m 05s, usually every 2.1s; last event 2m 05s ago'],
    [{ state: 'quiet' }, 'quiet 2m 05s; last event 2m 05s ago'],
    [{ state: 'lost_contact' }, 'lost contact, no heartbeat for 2m 05s; last event 2m 05s ago'],
    [{ state: 'finished', status: 'finished' }, 'finished; last event 2m 05s ago'],
  ])('says how the run stands, and by what evidence: %o', (overrides, text) => {
    const at = new Date(NOW_MS - 125_000).toISOString();
    expect(said({ last_received_at: at, state_since: at, ...overrides }).status).toBe(text);
  });

  it('says the reason of a failure', () => {
    const end = { status: 'failed', at: '2026-01-03T23:59:47Z', reason: 'loss is NaN', seq: 9 } as const;
    expect(said({ status: 'failed', end }).end).toBe('failed: loss is NaN (2026-01-03T23:59:47Z)');
    expect(said({ status: 'failed', end: { ...end, reason: null } }).end).toBe(
      'failed (2026-01-03T23:59:47Z)',
    );
  });

  it('says that a run goes on after its end', () => {
    const end = { status: 'finished', at: '2026-01-03T23:59:47Z', reason: null, seq: 9 } as const;
    expect(said({ status: 'running', end }).end).toBe(
      'finished (2026-01-03T23:59:47Z, but later events show it running)',
    );
  });

  it('says the newest attempt and where it started', () => {
    const attempts = [
      { seq: 1, at: '2026-01-03T20:00:00Z', episode: 0 },
      { seq: 7, at: '2026-01-03T22:00:00Z', episode: 120 },
    ];
    expect(said({ attempt: 2, attempts }).attempt).toBe('2, started 2026-01-03T22:00:00Z from episode 120');
  });

  it('says that what is missing is a lower bound, and where', () => {
    const emitters = {
      'rank-0': { last: 40, gaps: [[3, 3] as [number, number], [7, 12] as [number, number]], seen: 8 },
      'rank-1': { last: 9, gaps: [], seen: 9 },
      'rank-2': { last: 900, gaps: [], forgotten: { through: 800, missing: 1_200 }, seen: 9 },
      'rank-3': { last: 900, gaps: [], forgotten: { through: 800, missing: null }, seen: 9 },
    };
    const text = runText(deliveredSnapshot({ missing: 1_207, missing_is_exact: false, emitters }), NOW_MS);
    expect(text).toContain('(0 duplicates dropped, about 1,207 missing)');
    expect(text.split('\n').slice(-3)).toEqual([
      '  missing   rank-0 3, 7-12',
      '  missing   rank-2 1,200 up to 800 whose places are no longer kept',
      '  missing   rank-3 an unknown number up to 800',
    ]);
  });

  it('shows the gaps of a few emitters only', () => {
    const gaps = Array.from({ length: 8 }, (_, at): [number, number] => [at * 3 + 1, at * 3 + 2]);
    const emitters = Object.fromEntries(
      Array.from({ length: 7 }, (_, at) => [`rank-${at}`, { last: 99, gaps, seen: at }]),
    );
    const lines = runText(deliveredSnapshot({ missing: 112, emitters }), NOW_MS)
      .split('\n')
      .slice(-6);
    expect(lines[0]).toBe('  missing   rank-0 1-2, 4-5, 7-8, 10-11, 13-14, 3 more ranges');
    expect(lines[5]).toBe('            2 more emitters: --json shows them');
  });

  it('says conflicts, and what they mean', () => {
    expect(said({ conflicts: 2 }).conflicts).toMatch(/^2 events came under a number/);
    expect(said({ conflicts: 1 }).conflicts).toMatch(/^1 event came under a number/);
  });

  it('says that the beginning is missing only with its evidence', () => {
    expect(said({ partial: null }).note).toBeUndefined();
    expect(said({ partial: false }).note).toBeUndefined();
    expect(said({ partial: true, partial_because: 'first_numbers_missing' }).note).toBe(
      'the beginning of this run is not in the log: the first numbers of an emitter are missing',
    );
    expect(said({ partial: true, partial_because: 'resumed_from_elsewhere' }).note).toBe(
      'the beginning of this run is not in the log: it resumed from an episode that is not there',
    );
  });

  it('lets no control character of an event through', () => {
    const end = { status: 'failed', at: 'x', reason: 'a\u001b[2J\u202eb\nc', seq: 9 } as const;
    expect(said({ status: 'failed', end }).end).toBe('failed: a�[2J�b c (x)');
  });
});
