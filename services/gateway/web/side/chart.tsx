import { useSignalEffect } from '@preact/signals';
import { memo } from 'preact/compat';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { fractionOfSeq, type RunAxis, seqAt } from '../strip/run-axis.ts';
import { useSurface } from '../strip/surface.ts';
import { type ChartPlace, type ChartSeries, nearestPoint, placeOfPoint } from './chart-model.ts';
import { lastPoint, pointOfKey, pointText } from './chart-reading.ts';
import { columnsOf, figurePlot, type PlotMarks } from './figure-plot.ts';
import { figureValueText } from './figure-text.ts';
import type { SharedCursor } from './shared-cursor.ts';

export interface ChartProps {
  readonly series: ChartSeries;
  readonly axis: RunAxis;
  readonly marks: PlotMarks;
  readonly cursor: SharedCursor;
  onPlace(place: ChartPlace): void;
  /** Whether Tab stops at it: one chart of all does. */
  readonly isTabStop?: boolean;
}

/**
 * One figure over the run's life: its last value in the head, and that under the cursor while there is one. It is read with the
 * keys of a slider, which move the shared cursor from value to value; Enter goes to the place in the log.
 */
export const Chart = memo((props: ChartProps) => {
  const { series, cursor, isTabStop = true } = props;
  const { name, label, last, low, high } = series;
  const plotBox = useRef<HTMLDivElement>(null);
  const figure = useRef<HTMLElement>(null);
  usePlot(plotBox, props);
  useReadOut(figure, props);
  const source = `keys ${name}`;
  useEffect(() => () => cursor.leave(source), [cursor, source]);
  return (
    <figure class="chart" data-figure={name} ref={figure}>
      <figcaption>
        <span class="chart-name" title={name}>
          <bdi>{label}</bdi>
        </span>
        <span class="chart-value" />
      </figcaption>
      <div
        class="chart-box"
        role="slider"
        tabIndex={isTabStop ? 0 : -1}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, series.values.length - 1)}
        aria-valuenow={Math.max(0, series.values.length - 1)}
        onKeyDown={(event) => readByKey(event, { ...props, source })}
        onBlur={() => cursor.leave(source)}
      >
        <div class="chart-plot" ref={plotBox} />
        {low !== null && (
          <>
            <span class="chart-high">{figureValueText(name, high)}</span>
            {low !== high && <span class="chart-low">{figureValueText(name, low)}</span>}
          </>
        )}
        {last === null && <span class="chart-none">no values yet</span>}
      </div>
    </figure>
  );
});

function readByKey(event: KeyboardEvent, of: ChartProps & { source: string }): void {
  const { series, axis, cursor, source, onPlace } = of;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const seq = cursor.seq.peek();
  const here = seq === null ? null : nearestPoint(series, fractionOfSeq(axis, seq));
  if (event.key === 'Enter') {
    const point = here ?? lastPoint(series);
    if (point === null) return;
    event.preventDefault();
    onPlace(placeOfPoint(axis, series, point));
    return;
  }
  const to = pointOfKey(event, { series, here });
  if (to === undefined) return;
  event.preventDefault();
  if (to !== null) cursor.point(seqAt(axis, series.fractions[to]!), source);
}

/** Writes the value under the cursor, or the last one, without drawing anything again. */
function useReadOut(
  figure: { readonly current: HTMLElement | null },
  { series, axis, cursor }: Pick<ChartProps, 'series' | 'axis' | 'cursor'>,
): void {
  const show = (seq: number | null) => {
    const text = figure.current?.querySelector('.chart-value') ?? null;
    const slider = figure.current?.querySelector('.chart-box') ?? null;
    if (text === null || slider === null) return;
    const point = seq === null ? null : nearestPoint(series, fractionOfSeq(axis, seq));
    const value = point === null ? series.last : series.values[point]!;
    text.textContent = figureValueText(series.name, value);
    text.classList.toggle('is-at-cursor', point !== null);
    slider.setAttribute('aria-valuenow', String(point ?? Math.max(0, series.values.length - 1)));
    slider.setAttribute('aria-valuetext', pointText(series, point));
  };
  const latest = useRef(show);
  latest.current = show;
  useSignalEffect(() => latest.current(cursor.seq.value));
  useLayoutEffect(() => show(cursor.seq.peek()), [series, axis]);
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
