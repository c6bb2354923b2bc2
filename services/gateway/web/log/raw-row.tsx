import type { EventLogEntry } from '@runlog/schema/run/snapshot';
import { memo } from 'preact/compat';
import { dayText } from '../text/dates.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { detailsText } from './copy.ts';
import { isAlarm } from './line-text.ts';
import { rawRowId } from './marked-rows.ts';

/** The lines of an open event that are shown at once; the others are scrolled to. */
const WHOLE_LINES_MAX = 24;

/** The names of the columns, and the day of the first event in view. */
export function RawHead({ dayMs, count }: { dayMs: number | null; count: number }) {
  return (
    <div class="line raw-line raw-head" role="row" aria-rowindex={1}>
      <span role="columnheader" title={dayMs === null ? '' : `${dayText(dayMs)}, UTC`}>
        Time
      </span>
      <span role="columnheader">Type</span>
      <span role="columnheader">Env</span>
      <span role="columnheader">Ep</span>
      <span role="columnheader">Message</span>
      <span role="columnheader">Details</span>
      <span class="raw-day">
        {dayMs === null || Number.isNaN(dayMs) ? '' : `${dayText(dayMs)} UTC · `}
        {countText(count)} loaded
      </span>
    </div>
  );
}

interface RawRowProps {
  readonly entry: EventLogEntry;
  /** Its place among the events, the newest first. */
  readonly index: number;
  /** The line of the table where it stands. */
  readonly line: number;
  readonly isActive: boolean;
  readonly isMarked: boolean;
  readonly isOpen: boolean;
  onPress(seq: number, by: { extend: boolean }): void;
}

/** One event in one line. */
export const RawRow = memo((props: RawRowProps) => {
  const { entry, index, line, isActive, isMarked, isOpen, onPress } = props;
  const { seq, timestamp, occurred_at, event_type, env_id, episode, message } = entry;
  const details = visibleText(detailsText(entry));
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the grid, which has the focus
    <div
      id={`raw-${seq}`}
      data-row={rawRowId(seq)}
      class={`line line-event raw-line ${isActive ? 'line-active' : ''} ${isMarked ? 'line-marked' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isActive || isMarked}
      aria-expanded={isOpen}
      style={{ transform: `translateY(calc(${line} * var(--row-height)))` }}
      onClick={(event) => onPress(seq, { extend: event.shiftKey })}
    >
      <span class="clock" role="gridcell" title={visibleText(occurred_at)}>
        {visibleText(timestamp)}
      </span>
      <span class={isAlarm(entry) ? 'bad' : ''} role="gridcell" title={visibleText(event_type)}>
        <bdi>{visibleText(event_type)}</bdi>
      </span>
      <span class="env" role="gridcell">
        {env_id === null ? '--' : String(env_id).padStart(2, '0')}
      </span>
      <span class="dim" role="gridcell">
        {episode}
      </span>
      <span role="gridcell" title={visibleText(message)}>
        <bdi>{visibleText(message)}</bdi>
      </span>
      <span class="dim" role="gridcell">
        <bdi>{details}</bdi>
      </span>
      <span class="seq" role="gridcell">
        {seq}
      </span>
    </div>
  );
});

/** How many lines of the table an open event takes. */
export function wholeLines(entry: EventLogEntry): number {
  return Math.min(WHOLE_LINES_MAX, wholeText(entry).split('\n').length);
}

/** An event in full, below its line. */
export function RawWhole({ entry, line, lines }: { entry: EventLogEntry; line: number; lines: number }) {
  return (
    <pre
      class="raw-whole"
      style={{
        transform: `translateY(calc(${line} * var(--row-height)))`,
        height: `calc(${lines} * var(--row-height))`,
      }}
    >
      {wholeText(entry).split('\n').map(visibleText).join('\n')}
    </pre>
  );
}

/** How long ago it was when it was delivered is left out: it is not so any more. */
function wholeText(entry: EventLogEntry & { readonly relative_time?: string }): string {
  const { relative_time: _, ...kept } = entry;
  return JSON.stringify(kept, null, 2);
}
