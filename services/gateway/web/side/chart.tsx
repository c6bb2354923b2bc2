import { useSignalEffect } from '@preact/signals';
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { fractionOfSeq, type RunAxis, seqAt } from '../strip/run-axis.ts';
import { useSurface } from '../strip/surface.ts';
import { type ChartPlace, type ChartSeries, nearestPoint, placeOfPoint } from './chart-model.ts';
import { columnsOf, figurePlot, type PlotMarks } from './figure-plot.ts';
import { figureValueText } from './figure-text.ts';
import type { SharedCursor } from './shared-cursor.ts';

export interface ChartProps {
  readonly series: ChartSeries;
  readonly axis: RunAxis;
  readonly marks: PlotMarks;
  readonly cursor: SharedCursor;
  onPlace(place: ChartPlace): void;
}

/** One figure over the run's life: its last value in the head, and that under the cursor while there is one. */
export const Chart = memo((props: ChartProps) => {
  const { series, axis, cursor } = props;
  const { name, label, last, low, high } = series;
  const box = useRef<HTMLDivElement>(null);
  usePlot(box, props);
  return (
    <figure class="chart" data-figure={name}>
      <figcaption>
        <span class="chart-name" title={name}>
          <bdi>{label}</bdi>
        </span>
        <ChartValue series={series} axis={axis} cursor={cursor} />
      </figcaption>
      <div
        class="chart-box"
        role="img"
        aria-label={
          last === null
            ? `${label}: no values`
            : `${label}: ${figureValueText(name, last)}, between ${figureValueText(name, low)} and ${figureValueText(name, high)}`
        }
      >
        <div class="chart-plot" ref={box} />
        {low !== null && (
          <>
            <span class="chart-high">{figureValueText(name, high)}</span>
            <span class="chart-low">{figureValueText(name, low)}</span>
          </>
        )}
        {last === null && <span class="chart-none">no values yet</span>}
      </div>
    </figure>
  );
});

function ChartValue({ series, axis, cursor }: Pick<ChartProps, 'series' | 'axis' | 'cursor'>) {
  const text = useRef<HTMLSpanElement>(null);
  const show = (seq: number | null) => {
    if (text.current === null) return;
    const point = seq === null ? null : nearestPoint(series, fractionOfSeq(axis, seq));
    const value = point === null ? series.last : series.values[point]!;
    text.current.textContent = figureValueText(series.name, value);
    text.current.classList.toggle('is-at-cursor', point !== null);
  };
  const latest = useRef(show);
  latest.current = show;
  useSignalEffect(() => latest.current(cursor.seq.value));
  useLayoutEffect(() => show(cursor.seq.peek()), [series, axis]);
  return <span class="chart-value" ref={text} />;
}

/** Keeps one plot for as long as the figure is shown. New values go into it. */
function usePlot(box: { readonly current: HTMLDivElement | null }, props: ChartProps): void {
  const { series, axis, marks, cursor } = props;
  const source = `chart ${series.name}`;
  const surface = useSurface(box);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ ...props, surface });
  latest.current = { ...props, surface };
  const isLaidOut = surface !== null && surface.width > 0;

  useLayoutEffect(() => {
    const { surface: first } = latest.current;
    if (box.current === null || first === null || !isLaidOut) return;
    const made = figurePlot(box.current, {
      ...{ width: first.width, height: first.height, series: latest.current.series },
      colour: (name) => latest.current.surface?.colour(name) ?? '',
      marks: () => latest.current.marks,
      onPoint: (fraction) => {
        if (fraction === null) cursor.leave(source);
        else cursor.point(seqAt(latest.current.axis, fraction), source);
      },
      onClick: (fraction) => {
        const now = latest.current;
        const point = nearestPoint(now.series, fraction);
        if (point !== null) now.onPlace(placeOfPoint(now.axis, now.series, point));
      },
    });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
      cursor.leave(source);
    };
  }, [isLaidOut, cursor, source]);

  useLayoutEffect(() => {
    if (surface === null || plot.current === null) return;
    const { width, height } = surface;
    if (plot.current.width !== width || plot.current.height !== height)
      plot.current.setSize({ width, height });
    else plot.current.redraw(false);
  }, [surface]);
  useLayoutEffect(() => plot.current?.setData(columnsOf(series)), [series]);
  useLayoutEffect(() => plot.current?.redraw(false), [marks]);
  useSignalEffect(() => follow(plot.current, { axis: latest.current.axis, cursor, source }));
  useLayoutEffect(() => follow(plot.current, { axis, cursor, source }), [axis]);
}

/** Shows where the pointer is in another drawing. */
function follow(
  plot: uPlot | null,
  { axis, cursor, source }: { axis: RunAxis; cursor: SharedCursor; source: string },
): void {
  const [seq, from] = [cursor.seq.value, cursor.source.value];
  if (plot === null || from === source) return;
  const left = seq === null ? -10 : plot.valToPos(fractionOfSeq(axis, seq), 'x');
  plot.setCursor({ left, top: seq === null ? -10 : 1 }, false);
}
