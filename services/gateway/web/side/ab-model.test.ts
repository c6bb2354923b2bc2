import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import { runAxisOf } from '../strip/run-axis.ts';
import { commonRound, counterRows, endOfRound, figureRows, lineUntil, overlaidNames } from './ab-model.ts';

const START_MS = Date.parse('2026-11-27T07:00:00Z');

/** One point a round, from round 1 on, ten seconds apart. */
function figure(name: string, values: readonly (number | null)[]): Figure {
  const rounds = values.map((_, at) => at + 1);
  return {
    ...{ name, points: values.length, without_value: 0, stride: 1, x: rounds },
    t: rounds.map((round) => START_MS + round * 10_000),
    ...{ first: [...values], last: [...values], min: [...values], max: [...values] },
    ...{ count: rounds.map(() => 1), attempt: rounds.map(() => 1) },
  };
}
const figuresOf = (...figures: Figure[]): RunFigures => ({
  ...{ cluster_id: 'c1', run_id: 'r1', group_id: 'A', position: null, figures_refused: 0, refused: [] },
  figures,
});
const side = (...figures: Figure[]) => ({ figures: figuresOf(...figures), startedAt: null });

describe('A beside B', () => {
  it.each([
    [31, 31, { round: 31, ahead: null }],
    [33, 31, { round: 31, ahead: 'a' }],
    [0, 4, { round: 0, ahead: 'b' }],
  ])('at rounds %d and %d is aligned', (a, b, aligned) => {
    expect(commonRound({ current_batch: a }, { current_batch: b })).toEqual(aligned);
  });

  it('has the values of the round that both have reached, and the difference', () => {
    const a = side(figure('accuracy', [50, 60, 70]), figure('clip_fraction', [0.1, 0.2, 0.3]));
    const b = side(figure('accuracy', [55, 58]), figure('loss', [2, 1]));
    expect(figureRows(a, b, 2)).toEqual([
      { name: 'accuracy', a: '60.0%', b: '58.0%', difference: '−2.0%' },
      { name: 'clip fraction', a: '20%', b: '–', difference: '–' },
      { name: 'loss', a: '–', b: '1.00', difference: '–' },
    ]);
    expect(figureRows(b, a, 2)[0]!.difference).toBe('+2.0%');
  });

  it('takes the last value there is where the round has none', () => {
    const a = side(figure('reward', [0.1, null]));
    expect(figureRows(a, a, 2)).toEqual([{ name: 'reward', a: '0.10', b: '0.10', difference: '0.00' }]);
  });

  it('draws lines up to the round, and no line of a figure that a run does not have', () => {
    const a = side(figure('accuracy', [50, 60, 70]));
    expect(lineUntil(a, { name: 'accuracy', round: 2 })).toEqual({ xs: [1, 2], ys: [50, 60] });
    expect(lineUntil(a, { name: 'accuracy', round: 9 })!.xs).toEqual([1, 2, 3]);
    expect(lineUntil(a, { name: 'reward', round: 2 })).toBeNull();
    expect(lineUntil({ figures: null, startedAt: null }, { name: 'accuracy', round: 2 })).toBeNull();
  });

  it('overlays accuracy and reward, by the name that a run has', () => {
    const [a, b] = [figuresOf(figure('val_accuracy', [1])), figuresOf(figure('total_reward', [1]))];
    expect(overlaidNames(a, b)).toEqual(['val_accuracy', 'total_reward']);
    expect(overlaidNames(figuresOf(figure('accuracy', [1]), figure('val_accuracy', [1])), null)).toEqual([
      'accuracy',
    ]);
    expect(overlaidNames(null, null)).toEqual([]);
  });

  it('counts what both have, and nothing of a state that is not there yet', () => {
    const state = {
      ...{ current_episode: 12, cumulative_germinated: 3, cumulative_fossilized: 1, cumulative_pruned: 1 },
      ...{ total_events_received: 1_200, duplicates: 0, missing: 0 },
    };
    const rows = counterRows(state, { ...state, cumulative_pruned: 4, total_events_received: 1_100 });
    expect(rows.find(({ name }) => name === 'pruned')).toMatchObject({ a: '1', b: '4', difference: '+3' });
    expect(rows.find(({ name }) => name === 'events')).toMatchObject({ difference: '−100' });
    expect(rows.find(({ name }) => name === 'missing')).toMatchObject({ difference: '0' });
    expect(counterRows(state, null).every(({ b, difference }) => b === '–' && difference === '–')).toBe(true);
  });
});

describe('the place of a round', () => {
  const axis = runAxisOf({
    timeline: timelineOf(),
    head: { seq: 1_000, receivedAtMs: START_MS + 1_000_000, events: 1_001 },
  });

  it('is near the event that ended it', () => {
    const figures = figuresOf(figure('accuracy', [1, 2, 3]));
    const end = endOfRound(figures, axis, 2)!;
    expect(end.seq).toBeGreaterThanOrEqual(19);
    expect(end.seq).toBeLessThanOrEqual(21);
    expect(end.atMs).toBe(START_MS + 20_000);
    expect(end.beforeSeq).toBe(1_001);
    expect(endOfRound(figures, axis, 1)!.beforeSeq).toBeGreaterThan(28);
  });

  it('is not known of a round that the figures do not have', () => {
    expect(endOfRound(figuresOf(figure('accuracy', [1])), axis, 9)).toBeNull();
    expect(endOfRound(figuresOf(figure('loss', [1])), axis, 1)).toBeNull();
    expect(endOfRound(null, axis, 1)).toBeNull();
  });
});
