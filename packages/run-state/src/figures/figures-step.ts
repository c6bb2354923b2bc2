import type { Position } from '@runlog/schema/run/snapshot';
import type { FiguresStep } from '@runlog/schema/stream/server-frames';
import { deliverFigureFrom } from './deliver-figures.ts';
import type { RunFiguresState } from './run-figures.ts';
import type { Series } from './series.ts';

/** How far a client's copy of the figures is: enough to make the step that brings it on. */
export interface FiguresMark {
  /** Null if the client holds no figures, because the run had no event. */
  readonly position: Position | null;
  readonly refused: number;
  readonly figures: ReadonlyMap<string, Pick<Series, 'points' | 'stride'>>;
}

export const NO_FIGURES: FiguresMark = { position: null, refused: 0, figures: new Map() };

export function markOf(state: RunFiguresState): FiguresMark {
  const figures = new Map<string, Pick<Series, 'points' | 'stride'>>();
  for (const [name, { points, stride }] of state.series) figures.set(name, { points, stride });
  // The fold changes the position in place.
  return { position: { ...state.position }, refused: state.refused.size, figures };
}

/** Returns the step from a mark to the present figures of the same run, or null if none has changed. */
export function stepSince(mark: FiguresMark, state: RunFiguresState): FiguresStep | null {
  const { position } = mark;
  const figures = [...state.series.values()]
    .filter(({ name, points }) => points !== mark.figures.get(name)?.points)
    .map((series) => deliverFigureFrom(series, firstChanged(series, mark)));
  if (figures.length === 0 && state.refused.size === mark.refused && position !== null) return null;
  return {
    prev: position?.seq ?? null,
    seq: state.position.seq,
    figures,
    figures_refused: state.refused.size,
    refused: [...state.refused],
    ...(position === null ? { epoch: state.position.epoch } : {}),
  };
}

/** Returns the first bucket that differs from those of the mark. All do after a merge. */
function firstChanged({ name, stride }: Series, mark: FiguresMark): number {
  const held = mark.figures.get(name);
  if (held === undefined || held.stride !== stride) return 0;
  // The last bucket may not have been full.
  return Math.floor(held.points / stride);
}
