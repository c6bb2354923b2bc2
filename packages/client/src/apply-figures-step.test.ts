import { deliverFigures, noFigures } from '@runlog/run-state/figures/deliver-figures';
import { type FiguresMark, markOf, NO_FIGURES, stepSince } from '@runlog/run-state/figures/figures-step';
import { emptyFigures, foldFigures } from '@runlog/run-state/figures/run-figures';
import type { RunFigures } from '@runlog/schema/run/figures';
import type { FigureStep, FiguresStep } from '@runlog/schema/stream/server-frames';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { otherEvent, recordOf, trainingStarted } from '../../../test/support/event-factory.ts';
import { figureOf, runFiguresOf } from '../../../test/support/figure-factory.ts';
import { applyFiguresStep } from './apply-figures-step.ts';

const run = { cluster_id: 'c1', run_id: 'r1', group_id: 'default' };

function figureStep(from: number, overrides: Partial<FigureStep> = {}): FigureStep {
  return { ...figureOf([5]), from, ...overrides };
}

function stepOf(overrides: Partial<FiguresStep> = {}): FiguresStep {
  return { prev: 1, seq: 2, figures: [], figures_refused: 0, refused: [], ...overrides };
}

/** A server that folds and makes steps, and what its clients hold. */
class Stream {
  readonly state = emptyFigures(run);
  readonly clients: RunFigures[] = [];
  #mark: FiguresMark = NO_FIGURES;

  whole(): RunFigures {
    const whole = this.state.position.seq < 0 ? noFigures(run) : deliverFigures(this.state);
    return JSON.parse(JSON.stringify(whole)) as RunFigures;
  }

  join(): void {
    this.clients.push(this.whole());
  }

  send(): void {
    if (this.state.position.seq < 0) return;
    const step = stepSince(this.#mark, this.state);
    if (step === null) return;
    this.#mark = markOf(this.state);
    const received = JSON.parse(JSON.stringify(step)) as FiguresStep;
    for (const [index, held] of this.clients.entries()) {
      const next = applyFiguresStep(held, received);
      expect(next).not.toBeNull();
      this.clients[index] = next!;
    }
  }
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -9, max: 9 }) },
  fc.constantFrom('NaN', 'Infinity', -0, 0.1),
);
const doing = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('fold' as const),
      data: fc.dictionary(fc.constantFrom('loss', 'lr', 'norm'), value, { minKeys: 1 }),
      repeat: fc.constantFrom(1, 2, 7, 100, 190),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('fold_many' as const), figures: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const) }) },
);

describe('a step of figures', () => {
  it('brings every client to what the server holds, wherever it joined and whatever was folded', () => {
    fc.assert(
      fc.property(fc.array(doing, { minLength: 5, maxLength: 60 }), (steps) => {
        const stream = new Stream();
        let seq = 0;
        const fold = (event: Parameters<typeof recordOf>[0]) => {
          seq += 1;
          foldFigures(stream.state, recordOf(event, { seq }), { isRepeat: false });
        };
        stream.join();
        for (const step of steps) {
          switch (step.do) {
            case 'fold':
              for (let at = 0; at < step.repeat; at += 1) fold(otherEvent('METRICS', { data: step.data }));
              break;
            case 'fold_many': {
              const names = Array.from({ length: step.figures }, (_, at) => [`f${at}`, at]);
              fold(otherEvent('METRICS', { data: Object.fromEntries(names) as Record<string, number> }));
              break;
            }
            case 'start':
              fold(trainingStarted());
              break;
            case 'send':
              stream.send();
              break;
            case 'join':
              stream.join();
              break;
          }
        }
        stream.send();
        // A record that changes no figure makes no step.
        const { position: _, ...figures } = stream.whole();
        for (const { position: __, ...held } of stream.clients) expect(held).toEqual(figures);
      }),
      { numRuns: 150 },
    );
  });

  it('replaces the buckets from its place on, and keeps those before it', () => {
    const held = runFiguresOf([figureOf([1, 2, 3])]);
    const step = figureStep(2, { ...figureOf([7, 8]), points: 4 });
    const after = applyFiguresStep(held, stepOf({ figures: [step] }));
    expect(after?.position).toEqual({ epoch: 'test-1', seq: 2 });
    expect(after?.figures).toMatchObject([{ points: 4, last: [1, 2, 7, 8], x: [0, 10, 0, 10] }]);
    expect(after?.figures[0]).not.toHaveProperty('from');
    expect(held.figures[0]?.last).toEqual([1, 2, 3]);
  });

  it.each<[string, RunFigures, FiguresStep]>([
    ['begins after what is held', runFiguresOf([]), stepOf({ prev: 2, seq: 3 })],
    ['begins after nothing', runFiguresOf([], { position: null }), stepOf()],
    ['begins at nothing and names no epoch', runFiguresOf([], { position: null }), stepOf({ prev: null })],
    ['goes on in a figure that is not held', runFiguresOf([]), stepOf({ figures: [figureStep(1)] })],
    ['leaves buckets out', runFiguresOf([figureOf([1])]), stepOf({ figures: [figureStep(2)] })],
    [
      'goes on in wider buckets',
      runFiguresOf([figureOf([1])]),
      stepOf({ figures: [figureStep(1, { stride: 2 })] }),
    ],
  ])('that %s is not applied', (_name, held, step) => {
    expect(applyFiguresStep(held, step)).toBeNull();
  });
});
