import type { RunTimeline } from '@runlog/schema/http/gateway-api';
import type { RunFigures } from '@runlog/schema/run/figures';
import { memo } from 'preact/compat';
import { useMemo, useState } from 'preact/hooks';
import { abandonedParts } from '../strip/abandoned.ts';
import { fractionOfSeq, type RunAxis } from '../strip/run-axis.ts';
import { marksOf } from '../strip/strip-model.ts';
import { Chart } from './chart.tsx';
import {
  availableNames,
  CHARTS_MAX,
  type ChartPlace,
  type ChartSeries,
  chosenNames,
  eventRateSeries,
  noSeries,
  seriesOf,
} from './chart-model.ts';
import type { PlotMarks } from './figure-plot.ts';
import { EVENT_RATE, figureLabel } from './figure-text.ts';
import type { SeedEvent } from './seed-events.ts';
import type { SharedCursor } from './shared-cursor.ts';
import { useThrottled } from './throttled.ts';

export interface ChartsProps {
  readonly axis: RunAxis;
  /** Null while they are on their way. */
  readonly figures: RunFigures | null;
  readonly timeline: Pick<RunTimeline, 'attempts' | 'attempt' | 'landmarks' | 'first_seq'>;
  readonly seeds: readonly SeedEvent[];
  /** The names of the figures to draw; null for those that a run is usually judged by. */
  readonly chosen: readonly string[] | null;
  /** The event as of which they are drawn: figures and seeds end there already. */
  readonly untilSeq?: number | null;
  readonly cursor: SharedCursor;
  onChoose(names: readonly string[] | null): void;
  onPlace(place: ChartPlace): void;
}

const REDRAW_MS_MIN = 1_000;
/** Places of marks are told apart as finely as a pixel of the widest pane. */
const MARK_PLACES = 1_024;

/** The figures of a run. New values are drawn at most once a second. */
export const Charts = memo((props: ChartsProps) => {
  const { axis, figures, timeline, seeds, untilSeq = null, chosen, cursor } = props;
  const drawn = useThrottled(
    useMemo(() => ({ axis, figures, timeline, seeds, untilSeq }), [axis, figures, timeline, seeds, untilSeq]),
    REDRAW_MS_MIN,
    untilSeq,
  );
  const marks = useMemo(() => marksFor(drawn), [drawn]);
  const available = availableNames(drawn.figures);
  const names = chosenNames(available, chosen);
  const [stop, setStop] = useState<string | null>(null);
  return (
    <section class="charts" aria-label="Figures">
      <Choice {...{ available, names, chosen, figures }} onChoose={props.onChoose} />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the charts have the focus, and the arrows go from one to the next */}
      <div
        class="charts-grid"
        onFocusIn={({ target }) => {
          const focused = (target as HTMLElement).closest<HTMLElement>('.chart')?.dataset.figure;
          if (focused !== undefined) setStop(focused);
        }}
        onKeyDown={(event) => focusBeside(event)}
      >
        {names.map((name) => (
          <FigureChart
            key={name}
            {...{ name, cursor, marks }}
            {...drawn}
            onPlace={props.onPlace}
            isTabStop={name === (stop !== null && names.includes(stop) ? stop : names[0])}
          />
        ))}
      </div>
    </section>
  );
});

/** Up and down go to the chart before and after the one that has the focus. */
function focusBeside(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
  const charts = [...event.currentTarget.querySelectorAll<HTMLElement>('.chart-box')];
  const at = charts.indexOf(event.target as HTMLElement);
  if (at === -1) return;
  event.preventDefault();
  charts[at + (event.key === 'ArrowUp' ? -1 : 1)]?.focus();
}

/** The series is made again only if this figure or the axis has changed. */
function FigureChart(props: {
  name: string;
  axis: RunAxis;
  figures: RunFigures | null;
  untilSeq: number | null;
  marks: PlotMarks;
  cursor: SharedCursor;
  isTabStop: boolean;
  onPlace(place: ChartPlace): void;
}) {
  const { name, axis, figures, untilSeq, marks, cursor, isTabStop, onPlace } = props;
  const figure = figures?.figures.find((held) => held.name === name);
  const series = useMemo((): ChartSeries => {
    const end = untilSeq === null ? 1 : fractionOfSeq(axis, untilSeq);
    if (name === EVENT_RATE) return eventRateSeries(axis, end);
    return figure === undefined ? noSeries(name) : seriesOf(axis, figure, end);
  }, [name, axis, figure, untilSeq]);
  return <Chart {...{ series, axis, marks, cursor, isTabStop, onPlace }} />;
}

function Choice(props: {
  available: readonly string[];
  names: readonly string[];
  chosen: readonly string[] | null;
  figures: RunFigures | null;
  onChoose(names: readonly string[] | null): void;
}) {
  const { available, names, chosen, figures, onChoose } = props;
  const all = [...new Set([...available, ...names])];
  const toggled = (name: string) =>
    names.includes(name) ? names.filter((held) => held !== name) : [...names, name];
  const refused = figures?.figures_refused ?? 0;
  return (
    <details class="charts-choice">
      <summary>
        {names.length} of {all.length} figures
      </summary>
      <div class="charts-names">
        {all.map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={names.includes(name)}
              disabled={!names.includes(name) && names.length >= CHARTS_MAX}
              onChange={() => onChoose(toggled(name))}
            />
            <bdi>{figureLabel(name)}</bdi>
          </label>
        ))}
        {chosen !== null && (
          <button type="button" onClick={() => onChoose(null)}>
            The usual ones
          </button>
        )}
        {refused > 0 && <p class="charts-refused">{refused} more are not kept: a run keeps its first 48.</p>}
      </div>
    </details>
  );
}

function marksFor({
  axis,
  timeline,
  seeds,
  untilSeq = null,
}: Pick<ChartsProps, 'axis' | 'timeline' | 'seeds' | 'untilSeq'>): PlotMarks {
  const place = (seq: number) => fractionOfSeq(axis, seq);
  const hasBegun = ({ seq }: { seq: number }) => untilSeq === null || seq <= untilSeq;
  return {
    marks: marksOf(seeds, (seq) => Math.round(place(seq) * MARK_PLACES) / MARK_PLACES),
    abandoned: abandonedParts(timeline).map(({ fromSeq, toSeq }) => ({
      x0: place(fromSeq),
      x1: place(toSeq),
    })),
    attempts: timeline.attempts
      .slice(timeline.attempt > timeline.attempts.length ? 0 : 1)
      .filter(hasBegun)
      .map(({ seq }) => place(seq)),
  };
}
