import type { Span } from '@runlog/schema/events/line-span';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { clockText, minuteHeadText } from '../text/dates.ts';
import { visibleText } from '../text/visible-text.ts';
import type { GapRow } from './gap-rows.ts';
import { lineOf } from './line-text.ts';
import type { LogRow } from './log-rows.ts';

/** Without virtualisation no more rows than this can be drawn. */
const ROWS_MAX = 300;
/** A scroll position nearer to the end than this counts as at the end. */
const END_TOLERANCE_PX = 24;

/** Draws the rows of a run's log, all of them. It stands here until the log that draws only what is in view does. */
export function LogView({ screen }: { screen: RunScreen }) {
  const { log } = screen;
  const rows = log.rows.value;
  const { isFollowing } = log.state.value;
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (isFollowing && list.current !== null) list.current.scrollTop = list.current.scrollHeight;
  });
  return (
    <div
      class="lines"
      ref={list}
      role="log"
      aria-live="off"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        const isAtEnd = scrollHeight - scrollTop - clientHeight < END_TOLERANCE_PX;
        log.view({ first: Math.max(0, rows.length - ROWS_MAX), last: rows.length - 1, isAtEnd });
      }}
    >
      {rows.length === 0 && <p class="hint">Waiting for events...</p>}
      {rows.slice(-ROWS_MAX).map((row) => (
        <Row key={row.id} row={row} />
      ))}
    </div>
  );
}

function Row({ row }: { row: LogRow }) {
  if (row.kind === 'edge') return null;
  if (row.kind === 'date') return <div class="line-head">{minuteHeadText(row.minuteMs)}</div>;
  if (row.kind === 'gap') return <div class="line-head tone-warn">{gapText(row)}</div>;
  const { env, slot, kind, text } = lineOf(row);
  const clock = clockText(row.secondMs);
  return (
    <div class="line">
      <span class="clock">{row.clock === 'full' ? clock : clock.slice(5)}</span>
      <span class="text">
        {slot !== '' && <Piece of={{ text: `${slot} `, tone: 'slot' }} />}
        <Piece of={{ text: `${kind.text} `, tone: kind.tone }} />
        {text.map((span, at) => (
          <Piece key={at} of={span} />
        ))}
      </span>
      <span class="envs">{env}</span>
    </div>
  );
}

function Piece({ of }: { of: Span }) {
  return <bdi class={`tone-${of.tone}`}>{visibleText(of.text)}</bdi>;
}

function gapText({ missing }: GapRow): string {
  return missing === null
    ? '… events are missing here'
    : `… ${missing.toLocaleString('en')} events not shown`;
}
