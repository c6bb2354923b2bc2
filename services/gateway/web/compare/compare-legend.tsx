import { useComputed } from '@preact/signals';
import { memo } from 'preact/compat';
import type { CompareFocus } from './compare-focus.ts';
import type { ComparedRun } from './comparison.ts';
import { lineStyleOf } from './line-style.ts';
import { LineSwatch } from './line-swatch.tsx';

/** Which line is whose. The arrow keys go through it, as through the table. */
export function CompareLegend(props: {
  readonly runs: readonly ComparedRun[];
  readonly labels: ReadonlyMap<string, string>;
  readonly focus: CompareFocus;
  readonly hasColours: boolean;
}) {
  const { runs, labels, focus, hasColours } = props;
  const stop = useComputed(() => focus.selected.value);
  const held = runs.some(({ key }) => key === stop.value) ? stop.value : (runs[0]?.key ?? null);
  return (
    <section class="compare-legend" aria-label="Lines">
      {runs.map((run) => (
        <LegendItem
          key={run.key}
          runKey={run.key}
          place={run.place}
          label={labels.get(run.key) ?? run.key}
          isMissing={run.failure !== null}
          isStop={run.key === held}
          {...{ focus, hasColours }}
        />
      ))}
    </section>
  );
}

const LegendItem = memo(
  (props: {
    runKey: string;
    place: number;
    label: string;
    isMissing: boolean;
    isStop: boolean;
    focus: CompareFocus;
    hasColours: boolean;
  }) => {
    const { runKey, place, label, isMissing, isStop, focus, hasColours } = props;
    const isHighlighted = useComputed(() => focus.highlighted.value === runKey);
    const isSelected = useComputed(() => focus.selected.value === runKey);
    return (
      <button
        type="button"
        class={`compare-legend-item${isHighlighted.value ? ' is-highlighted' : ''}`}
        aria-pressed={isSelected.value}
        tabIndex={isStop ? 0 : -1}
        title={runKey}
        onMouseEnter={() => {
          focus.pointed.value = runKey;
        }}
        onMouseLeave={() => {
          focus.pointed.value = null;
        }}
        onClick={() => {
          focus.selected.value = focus.selected.peek() === runKey ? null : runKey;
        }}
      >
        <LineSwatch style={lineStyleOf(place, { hasColours })} />
        <bdi class={isMissing ? 'compare-legend-gone' : ''}>{label}</bdi>
      </button>
    );
  },
);
