import { signal } from '@preact/signals';
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { clockOf, type EventLogLines, envsOf, type LogLine, titleOf } from '../event-log-lines.ts';

/** A scroll position nearer to the end than this counts as at the end. */
const END_TOLERANCE_PX = 24;

const isFollowing = signal(true);

export function EventLog(run: { lines: EventLogLines; events: number; eventsPerSecond: number }) {
  const list = useRef<HTMLDivElement>(null);
  const { lines, trimmed } = run.lines;
  useLayoutEffect(() => {
    if (isFollowing.value && list.current !== null) list.current.scrollTop = list.current.scrollHeight;
  });
  const title = titleOf(run);
  return (
    <section class="log" aria-label="Event log">
      <div class="log-head">
        <h2>{title}</h2>
        {trimmed > 0 && <span class="dim">↑{trimmed.toLocaleString('en')} older lines</span>}
        <span class="dim log-zone">UTC</span>
      </div>
      <div
        class="lines"
        ref={list}
        role="log"
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
        tabIndex={0}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          isFollowing.value = scrollHeight - scrollTop - clientHeight < END_TOLERANCE_PX;
        }}
      >
        {lines.length === 0 && <p class="hint">Waiting for events...</p>}
        {lines.map((line, at) => (
          <Line key={line.id} line={line} clock={clockOf(line, lines[at - 1])} />
        ))}
      </div>
      {!isFollowing.value && (
        <button
          class="to-end"
          type="button"
          onClick={() => {
            isFollowing.value = true;
          }}
        >
          ↓ newest
        </button>
      )}
    </section>
  );
}

const Line = memo(({ line, clock }: { line: LogLine; clock: string }) => (
  <div class="line">
    <span class="clock">{clock}</span>
    <span class="text">
      {line.spans.map((span, at) => (
        <span key={at} class={`tone-${span.tone}`}>
          {span.text}
        </span>
      ))}
    </span>
    <span
      class="envs"
      title={line.envIds.length === 0 ? undefined : `environments ${line.envIds.join(', ')}`}
    >
      {envsOf(line)}
    </span>
  </div>
));
