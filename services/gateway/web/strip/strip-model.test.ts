import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordedRun, simulatedRun } from '../../../../test/support/drawn-run.ts';
import { seedEventOf } from '../side/seed-events.ts';
import { fractionOfSeq, runAxisOf } from './run-axis.ts';
import { type StripInput, seqAtX, stripModel, stripPlaces, xOfSeq } from './strip-model.ts';

const WIDTH = 1_340;

function inputOf(run: ReturnType<typeof simulatedRun>, overrides: Partial<StripInput> = {}): StripInput {
  const seeds = run.entries.map(seedEventOf).filter((event) => event !== null);
  const axis = runAxisOf({ timeline: run.timeline, head: run.head, anchors: seeds });
  return {
    ...{ axis, timeline: run.timeline, seeds, emitters: run.emitters },
    width: WIDTH,
    ...overrides,
  };
}

describe('the strip', () => {
  it('has a bar every four pixels, of which the highest is 1, and none while nothing came', () => {
    const model = stripModel(inputOf(simulatedRun()));
    expect(model.bars).toHaveLength(335);
    expect(Math.max(...model.bars)).toBe(1);
    expect(Math.min(...model.bars)).toBeLessThan(0.35);
  });

  it('holds all events of the run in its bars', () => {
    const input = inputOf(simulatedRun());
    const { bars } = stripModel(input);
    const squares = bars.map((height) => height ** 2);
    const share =
      squares.slice(0, 100).reduce((sum, part) => sum + part, 0) /
      squares.reduce((sum, part) => sum + part, 0);
    const [atEnd] = [100 / bars.length];
    const events = input.axis.ordinals.at(-1)!;
    const seq = input.axis.seqs[input.axis.fractions.findIndex((fraction) => fraction >= atEnd)]!;
    const before = input.axis.ordinals[input.axis.seqs.indexOf(seq)]!;
    expect(share).toBeCloseTo(before / events, 1);
  });

  it('marks the ends of seeds at their places, one a pixel and kind', () => {
    const input = inputOf(simulatedRun());
    const { marks } = stripModel(input);
    const ends = input.seeds.filter(({ kind }) => kind === 'fossilised' || kind === 'pruned');
    expect(ends.length).toBeGreaterThan(20);
    for (const { seq, kind } of ends) {
      expect(marks).toContainEqual({ x: Math.round(xOfSeq(input.axis, seq, WIDTH)), kind });
    }
    const twice = stripModel({ ...input, seeds: input.seeds.flatMap((event) => [event, event]) });
    expect(twice.marks).toEqual(marks);
  });

  it('hatches numbers that are missing where the emitter would have sent them', () => {
    const run = simulatedRun();
    expect(run.timeline.gaps).toHaveLength(1);
    const { gaps } = stripModel(inputOf(run));
    const { x0, x1, missing, isEstimate } = gaps[0]!;
    expect({ missing, isEstimate }).toEqual({ missing: 37, isEstimate: true });
    // The gap is within the quiet minute, from the last event before it to the first after it.
    const before = run.timeline.gaps[0]!.from - 1;
    const last = run.entries.findLast(({ seq }) => seq < before * 3)!;
    expect(x0).toBeCloseTo(xOfSeq(inputOf(run).axis, last.seq, WIDTH), -1.5);
    expect(x1 - x0).toBeGreaterThanOrEqual(7);
  });

  it('hatches a gap exactly if somebody saw it open', () => {
    const run = simulatedRun();
    const [{ emitter_id, from }] = run.timeline.gaps as [(typeof run.timeline.gaps)[number]];
    const input = inputOf(run, { knownGaps: [{ emitter_id, from, fromSeq: 300, toSeq: 900 }] });
    expect(stripModel(input).gaps[0]).toEqual({
      x0: xOfSeq(input.axis, 300, WIDTH),
      x1: xOfSeq(input.axis, 900, WIDTH),
      ...{ missing: 37, isEstimate: false },
    });
  });

  it('shows attempts after the first, what was abandoned, and the window at a width that can be hit', () => {
    const run = simulatedRun({ restartsAt: 500 });
    const input = inputOf(run);
    const model = stripModel(input);
    const places = stripPlaces({ ...input, window: { fromSeq: 1_500, toSeq: 1_501 }, at: 1_200 });
    expect(model.attempts.map(({ attempt }) => attempt)).toEqual([2]);
    expect(model.abandoned).toEqual([{ x0: 0, x1: model.attempts[0]!.x }]);
    expect(places.window!.x1 - places.window!.x0).toBe(8);
    expect(places.at).toBe(xOfSeq(input.axis, 1_200, WIDTH));
  });

  it('leads from pixels to events, and back', () => {
    const { axis } = inputOf(recordedRun('one-env'));
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: WIDTH, noNaN: true }),
        fc.integer({ min: 1, max: 2_000 }),
        (x, width) => {
          const pixel = Math.min(x, width);
          expect(seqAtX(axis, pixel, width)).toBeGreaterThanOrEqual(axis.firstSeq);
          expect(seqAtX(axis, pixel, width)).toBeLessThanOrEqual(axis.lastSeq);
        },
      ),
    );
    for (const seq of [axis.firstSeq, 300, axis.lastSeq]) {
      const back = seqAtX(axis, xOfSeq(axis, seq, WIDTH), WIDTH);
      expect(fractionOfSeq(axis, back)).toBeCloseTo(fractionOfSeq(axis, seq), 6);
    }
  });

  it('is nothing where there is no room', () => {
    const model = stripModel(inputOf(simulatedRun(), { width: 0 }));
    expect(model.bars).toEqual([]);
  });
});
