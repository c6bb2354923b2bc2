import { describe, expect, it } from 'vitest';
import { type EvidenceFields, evidenceOf, stateGlyphs } from './evidence.ts';

const NOW_MS = Date.UTC(2026, 10, 27, 7, 40);
const at = (agoMs: number) => new Date(NOW_MS - agoMs).toISOString();
const known = { nowMs: NOW_MS, unknownSinceMs: null };

function run(overrides: Partial<EvidenceFields> = {}): EvidenceFields {
  return {
    ...{ status: 'running', state: 'running', end: null, counts: {}, interval_ms: 300 },
    last_received_at: at(400),
    ...overrides,
  };
}
const end = (status: 'finished' | 'failed', agoMs: number) => ({
  ...{ status, state: status, end: { status, at: at(agoMs), reason: 'loss is NaN', seq: 7 } },
});
const heartbeats = { RUN_HEARTBEAT: 3 };

describe('how a run stands', () => {
  it.each<[string, EvidenceFields]>([
    ['running | last event 0.4 s ago · usually every 0.3 s', run()],
    ['running | last event 0.4 s ago', run({ interval_ms: null })],
    [
      'running | last event 59 s ago · usually every 25 s',
      run({ last_received_at: at(59_000), interval_ms: 25_000 }),
    ],
    ['running | last event 0.00 s ago · usually every 0.3 s', run({ last_received_at: at(-5_000) })],
    ['quiet | 2 m, usually every 25 s', run({ last_received_at: at(120_000), interval_ms: 25_000 })],
    [
      'running | last event 2 m ago · usually every 40 s',
      run({ last_received_at: at(120_000), interval_ms: 40_000 }),
    ],
    [
      'lost contact | nothing for 2 m, no heartbeat either',
      run({ last_received_at: at(120_000), counts: heartbeats }),
    ],
    ['finished | 3 m ago', run(end('finished', 180_000))],
    ['failed | 3 m ago', run(end('failed', 180_000))],
    ['failed | ', run({ ...end('failed', 0), end: null })],
  ])('%s', (words, of) => {
    const { word, detail } = evidenceOf(of, known);
    expect(`${word} | ${detail}`).toBe(words);
  });

  it('is what the server last said of a row, whose heartbeats the page does not know', () => {
    const { counts: _, ...row } = run({ state: 'lost_contact', last_received_at: at(90_000) });
    expect(evidenceOf(row, known).state).toBe('lost_contact');
  });

  it('is what the server last said while its time is not known', () => {
    const quiet = run({ state: 'quiet' });
    expect(evidenceOf(quiet, { nowMs: null, unknownSinceMs: null })).toMatchObject({
      state: 'quiet',
      detail: 'usually every 0.3 s',
    });
  });

  it.each([
    [NOW_MS - 480_000, 'unknown since 07:32 UTC'],
    [NOW_MS - 86_400_000, 'unknown since Thu 26 Nov 2026 07:40 UTC'],
    [Number.NaN, 'unknown'],
  ])('is unknown while nothing can be known, since %d', (unknownSinceMs, word) => {
    expect(evidenceOf(run(), { nowMs: NOW_MS, unknownSinceMs })).toEqual({
      ...{ state: 'unknown', glyph: '?', word, detail: 'was running' },
    });
  });

  it('was what it was when it was last heard of, however long that is ago', () => {
    const unknownSinceMs = NOW_MS - 600_000;
    const seen = run({ last_received_at: at(600_400), counts: heartbeats });
    expect(evidenceOf(seen, { nowMs: NOW_MS, unknownSinceMs }).detail).toBe('was running');
  });

  it('has a sign of its own for each state, which needs no colour', () => {
    const glyphs = Object.values(stateGlyphs);
    expect(new Set(glyphs).size).toBe(glyphs.length);
  });
});
