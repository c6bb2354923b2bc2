import { describe, expect, it } from 'vitest';
import { explainGap } from './gap-explained.ts';
import type { GapRow } from './gap-rows.ts';

const SINCE_MS = Date.UTC(2026, 10, 27, 7, 11, 57);

const gap = (overrides: Partial<GapRow> = {}): GapRow => ({
  ...{ kind: 'gap', id: 'gap-e-812', after: 2_236, cause: 'numbers', emitterId: '25601c56', from: 812 },
  ...{ to: 848, count: 37, missing: 37, state: 'waiting', sinceMs: SINCE_MS, reason: null },
  ...overrides,
});
const factsOf = (row: GapRow, nowMs: number | null = SINCE_MS + 41_000) =>
  Object.fromEntries(explainGap(row, nowMs).facts);

describe('an explained gap', () => {
  it('names the emitter, its numbers, how many, and since when', () => {
    expect(explainGap(gap(), null).title).toBe('37 missing events');
    expect(factsOf(gap())).toEqual({
      emitter: '25601c56',
      numbers: '812–848',
      missing: '37',
      since: 'Fri 27 Nov 2026 07:11:57 UTC, 00:41 ago',
      'stands behind': 'seq 2,236',
    });
  });

  it('says how many of it are left, and that nobody here saw it open', () => {
    expect(factsOf(gap({ missing: 3, sinceMs: null }))).toMatchObject({
      missing: '3 of 37',
      since: 'before this page was opened',
    });
  });

  it.each([
    ['waiting', /may still come/, /Wait/],
    ['recovered', /have arrived/, /nothing to do/],
    ['not_coming', /not waited for/, /import/],
  ] as const)('that is %s says whether more will come, and what to do', (state, outlook, advice) => {
    const explained = explainGap(gap({ state, missing: state === 'recovered' ? 0 : 37 }), null);
    expect(explained.outlook).toMatch(outlook);
    expect(explained.advice).toMatch(advice);
  });

  it.each([
    ['too_many', /fetched from the history/],
    ['unavailable', /fetched from the history/],
    ['history_gone', /no longer has them/],
    ['forbidden', /does not show the history/],
    ['not_supported', /older than this page/],
  ] as const)('of the stream (%s) is not one of the run', (reason, outlook) => {
    const row = gap({ cause: 'stream', emitterId: null, reason, missing: null, count: null });
    const explained = explainGap(row, null);
    expect(explained.title).toBe('Events left out here');
    expect(explained.outlook).toMatch(outlook);
    expect(explained.facts.map(([name]) => name)).not.toContain('emitter');
  });

  it('of the stream that could not be fetched says so, and where it is tried again', () => {
    const row = gap({ cause: 'stream', emitterId: null, reason: 'unavailable', hasFailed: true });
    const { outlook, advice } = explainGap(row, null);
    expect(outlook).toMatch(/could not be read/);
    expect(advice).toMatch(/“try again”/);
  });
});
