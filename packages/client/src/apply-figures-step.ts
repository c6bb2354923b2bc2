import type { Figure, RunFigures } from '@runlog/schema/run/figures';
import type { FigureStep, FiguresStep } from '@runlog/schema/stream/server-frames';

/**
 * Returns the figures after a step. They may be newer than the step's `prev`, because a step replaces and never adds. Returns
 * null if the step does not go on from them: then subscribe again.
 */
export function applyFiguresStep(held: RunFigures, step: FiguresStep): RunFigures | null {
  const epoch = held.position?.epoch ?? step.epoch;
  if (epoch === undefined || (held.position?.seq ?? -1) < (step.prev ?? -1)) return null;
  const figures = new Map(held.figures.map((figure) => [figure.name, figure]));
  for (const { from, ...figure } of step.figures) {
    const before = figures.get(figure.name);
    if (from > 0 && !reaches(before, { from, ...figure })) return null;
    figures.set(figure.name, before === undefined || from === 0 ? figure : replaced(before, from, figure));
  }
  return {
    ...held,
    position: { epoch, seq: step.seq },
    figures_refused: step.figures_refused,
    refused: step.refused,
    figures: [...figures.values()],
  };
}

function reaches(before: Figure | undefined, { from, stride }: FigureStep): boolean {
  return before !== undefined && before.stride === stride && before.x.length >= from;
}

/** Returns a figure whose buckets below `from` are those of another. */
function replaced(before: Figure, from: number, figure: Figure): Figure {
  const joined = <Value>(left: readonly Value[], right: readonly Value[]) => [
    ...left.slice(0, from),
    ...right,
  ];
  return {
    ...figure,
    x: joined(before.x, figure.x),
    t: joined(before.t, figure.t),
    first: joined(before.first, figure.first),
    last: joined(before.last, figure.last),
    min: joined(before.min, figure.min),
    max: joined(before.max, figure.max),
    count: joined(before.count, figure.count),
    attempt: joined(before.attempt, figure.attempt),
  };
}
