import { useMemo } from 'preact/hooks';
import { CompareChart } from '../compare/compare-chart.tsx';
import { createCompareFocus } from '../compare/compare-focus.ts';
import type { ComparedFigure, DrawnLine } from '../compare/compare-lines.ts';
import { lineStyleOf } from '../compare/line-style.ts';
import { useHasColours } from '../compare/use-has-colours.ts';
import { type AbSide, lineUntil, overlaidNames } from './ab-model.ts';

/** Accuracy and reward of A and B over rounds, both in one chart each. */
export function AbCharts(props: {
  sides: { readonly a: AbSide; readonly b: AbSide };
  round: number;
  keys: readonly [a: string, b: string];
}) {
  const { sides, round, keys } = props;
  const focus = useMemo(createCompareFocus, []);
  const hasColours = useHasColours();
  const [keyA, keyB] = keys;
  const labels = useMemo(
    () =>
      new Map([
        [keyA, 'A'],
        [keyB, 'B'],
      ]),
    [keyA, keyB],
  );
  const charts = useMemo(
    () =>
      overlaidNames(sides.a.figures, sides.b.figures).map((name) =>
        chartOf(name, { sides, round, keys: [keyA, keyB], hasColours }),
      ),
    [sides, round, keyA, keyB, hasColours],
  );
  return (
    <div class="ab-charts">
      {charts.map((figure) => (
        <CompareChart key={figure.name} axis="round" {...{ figure, focus, labels }} />
      ))}
    </div>
  );
}

function chartOf(
  name: string,
  of: {
    sides: { readonly a: AbSide; readonly b: AbSide };
    round: number;
    keys: readonly string[];
    hasColours: boolean;
  },
): ComparedFigure {
  const lines = [of.sides.a, of.sides.b].flatMap((side, place): DrawnLine[] => {
    const line = lineUntil(side, { name, round: of.round });
    const style = lineStyleOf(place, { hasColours: of.hasColours });
    return line === null ? [] : [{ ...line, key: of.keys[place]!, style }];
  });
  return {
    name,
    lines,
    x: rangeOf(lines.flatMap(({ xs }) => xs)),
    y: rangeOf(lines.flatMap(({ ys }) => ys)),
  };
}

function rangeOf(values: readonly (number | null)[]): [number, number] | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : [Math.min(...known), Math.max(...known)];
}
