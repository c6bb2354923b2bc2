import { describe, expect, it } from 'vitest';
import { figureOf } from '../../../../test/support/figure-factory.ts';
import { aimOf, summaryOf } from './figure-summary.ts';

describe('the best value of a figure', () => {
  it.each([
    ['accuracy', 'highest'],
    ['val_accuracy', 'highest'],
    ['total_reward', 'highest'],
    ['val_loss', 'lowest'],
    ['kl_divergence', 'lowest'],
    ['entropy', null],
    ['clip_fraction', null],
    ['glossy', null],
  ])('of %s is the %s', (name, aim) => {
    expect(aimOf(name)).toBe(aim);
  });

  it('is that of the whole buckets, and the last one is the last that there is', () => {
    const buckets = { stride: 2, min: [1, 3, null], max: [9, 4, null], last: [5, 4, null] };
    expect(summaryOf(figureOf([5, 4, null], { ...buckets, name: 'accuracy' }))).toEqual({ best: 9, last: 4 });
    expect(summaryOf(figureOf([5, 4, null], { ...buckets, name: 'val_loss' }))).toEqual({ best: 1, last: 4 });
    expect(summaryOf(figureOf([null]))).toEqual({ best: null, last: null });
  });
});
