import { emptyFigures, foldFigures } from '@runlog/run-state/figures/run-figures';
import { sparkOf } from '@runlog/run-state/figures/spark';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchCompleted, epochCompleted, otherEvent, recordOf } from '../../../test/support/event-factory.ts';
import { bytesOf, sparkOfFigures } from './figures-record.ts';

const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };

function figuresOf(events: readonly ReturnType<typeof otherEvent>[]) {
  const state = emptyFigures(run);
  for (const [seq, event] of events.entries())
    foldFigures(state, recordOf(event, { seq }), { isRepeat: false });
  return state;
}

describe('the spark of a run', () => {
  it('is empty if the run has no accuracy', () => {
    const figures = figuresOf([otherEvent('METRICS', { data: { loss: 3 } })]);
    expect(sparkOf(figures)).toEqual([]);
    expect(sparkOfFigures(bytesOf(figures))).toEqual([]);
  });

  it('holds the accuracy of batches, and of environments only without it', () => {
    const epochs = [1, 2].map((val_accuracy) => epochCompleted({ data: { val_accuracy } }));
    expect(sparkOf(figuresOf(epochs))).toEqual([1, 2]);
    expect(sparkOf(figuresOf([...epochs, batchCompleted({ data: { avg_accuracy: 70.123_456 } })]))).toEqual([
      70.123,
    ]);
  });

  it('holds the newest 24 values that are numbers', () => {
    const accuracies = [...Array.from({ length: 30 }, (_, at) => at), 'NaN'];
    const figures = figuresOf(accuracies.map((avg_accuracy) => batchCompleted({ data: { avg_accuracy } })));
    expect(sparkOf(figures)).toEqual(Array.from({ length: 23 }, (_, at) => at + 7));
  });

  it('is read out of stored figures as out of those that are awake', () => {
    const accuracy = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant('NaN'));
    const made = fc.oneof(
      accuracy.map((avg_accuracy) => batchCompleted({ data: { avg_accuracy } })),
      accuracy.map((val_accuracy) => epochCompleted({ data: { val_accuracy } })),
      accuracy.map((loss) => otherEvent('METRICS', { data: { loss } })),
    );
    fc.assert(
      fc.property(fc.array(made, { maxLength: 450 }), (events) => {
        const figures = figuresOf(events);
        expect(sparkOfFigures(bytesOf(figures))).toEqual(sparkOf(figures));
      }),
      { numRuns: 100 },
    );
  });
});
