import { useComputed, useSignalEffect } from '@preact/signals';
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Axis } from '../shell/address.ts';
import { figureLabel, figureValueText } from '../side/figure-text.ts';
import { useSurface } from '../strip/surface.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { CompareFocus } from './compare-focus.ts';
import { type ComparedFigure, valueAt } from './compare-lines.ts';
import { columnsFor, comparePlot, placeTextOf } from './compare-plot.ts';

export interface CompareChartProps {
  readonly figure: ComparedFigure;
  readonly axis: Axis;
  readonly focus: CompareFocus;
  readonly labels: ReadonlyMap<string, string>;
}

const axisWords: Readonly<Record<Axis, string>> = {
  round: 'over rounds',
  step: 'over steps',
  time: 'since each start',
};

/** One figure of all runs, a line each. The head has the value of the run that is looked at. */
export const CompareChart = memo((props: CompareChartProps) => {
  const { figure, axis, focus, labels } = props;
  const label = visibleText(figureLabel(figure.name));
  const box = useRef<HTMLDivElement>(null);
  usePlot(box, props);
  const range =
    figure.y === null
      ? 'no values'
      : `from ${figureValueText(figure.name, figure.y[0])} to ${figureValueText(figure.name, figure.y[1])}`;
  return (
    <figure class="compare-chart" data-figure={figure.name}>
      <figcaption>
        <h2 class="compare-chart-name" title={visibleText(figure.name)}>
          <bdi>{label}</bdi> <span class="dim">{axisWords[axis]}</span>
        </h2>
        <PointedValue {...{ figure, axis, focus, labels }} />
      </figcaption>
      <div
        class="compare-plot"
        ref={box}
        role="img"
        aria-label={`${label} ${axisWords[axis]}: ${counted(figure.lines.length, 'run')}, ${range}`}
      >
        {figure.y === null && <span class="compare-none dim">no values yet</span>}
      </div>
    </figure>
  );
});

function PointedValue({ figure, axis, focus, labels }: CompareChartProps) {
  const text = useComputed(() => {
    const key = focus.highlighted.value;
    const line = figure.lines.find((each) => each.key === key);
    if (line === undefined || key === null) return null;
    const x = focus.x.value;
    const value = x === null ? null : valueAt(line, x);
    const last = line.ys.findLast((each) => each !== null) ?? null;
    return {
      label: labels.get(key) ?? key,
      value: figureValueText(figure.name, value ?? last),
      at: value === null || x === null ? '' : ` at ${placeTextOf(axis)(x)}`,
    };
  });
  if (text.value === null) return null;
  return (
    <span class="compare-pointed">
      <bdi class="dim">{text.value.label}</bdi> <b>{text.value.value}</b>
      <span class="dim">{text.value.at}</span>
    </span>
  );
}

/** Keeps one plot for as long as the figure is shown over the axis. */
function usePlot(box: { readonly current: HTMLDivElement | null }, props: CompareChartProps): void {
  const { figure, axis, focus } = props;
  const surface = useSurface(box);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ figure, surface });
  latest.current = { figure, surface };
  const isLaidOut = surface !== null && surface.width > 0 && surface.height > 0;

  useLayoutEffect(() => {
    const { surface: first } = latest.current;
    if (box.current === null || first === null || !isLaidOut) return;
    const made = comparePlot(box.current, {
      ...{ width: first.width, height: first.height, axis, font: '10px system-ui, sans-serif' },
      shown: () => latest.current.figure,
      highlighted: () => focus.highlighted.peek(),
      colour: (name) => latest.current.surface?.colour(name) ?? '',
      onPoint: (at) => {
        // A plot that follows another one is told of it too.
        if (!made.over.matches(':hover')) return;
        focus.x.value = at?.x ?? null;
        focus.pointed.value = at?.key ?? null;
      },
      onClick: () => {
        focus.selected.value = focus.pointed.peek();
      },
    });
    const leave = () => {
      focus.x.value = null;
      focus.pointed.value = null;
    };
    made.over.addEventListener('mouseleave', leave);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [isLaidOut, axis, focus]);

  useLayoutEffect(() => {
    if (surface === null || plot.current === null) return;
    const { width, height } = surface;
    if (plot.current.width !== width || plot.current.height !== height)
      plot.current.setSize({ width, height });
    else plot.current.redraw(false);
  }, [surface]);
  useLayoutEffect(() => plot.current?.setData(columnsFor(figure)), [figure]);
  useSignalEffect(() => {
    void focus.highlighted.value;
    plot.current?.redraw(false);
  });
  useSignalEffect(() => {
    const x = focus.x.value;
    const made = plot.current;
    if (made === null || made.over.matches(':hover')) return;
    made.setCursor({ left: x === null ? -10 : made.valToPos(x, 'x'), top: x === null ? -10 : 1 }, false);
  });
}
