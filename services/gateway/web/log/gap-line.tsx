import { connection } from '../shell/connection.ts';
import { stopwatchText } from '../text/ages.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { GapRow } from './gap-rows.ts';

/** A place where events are missing: how many, whose, since when, and whether they may still come. */
export function GapLine({ row, onExplain }: { row: GapRow; onExplain(): void }) {
  return (
    <span class={`line-gap-text gap-${row.state}`} role="gridcell">
      <span class="gap-sign" aria-hidden="true">
        ┄
      </span>{' '}
      <GapWords row={row} /> ·{' '}
      <button
        type="button"
        class="text-button"
        tabIndex={-1}
        onClick={(event) => {
          event.stopPropagation();
          onExplain();
        }}
      >
        what is this?
      </button>
    </span>
  );
}

function GapWords({ row }: { row: GapRow }) {
  const { from, to } = row;
  const range = from === to ? `${from}` : `${from}–${to}`;
  if (row.cause === 'stream') {
    const left = row.missing === null ? 'events' : counted(row.missing, 'event');
    return (
      <>
        seq {range} · {left} left out here
      </>
    );
  }
  return (
    <>
      {range} · {counted(row.missing ?? row.count ?? 0, 'event')} missing of emitter{' '}
      <bdi>{visibleText(row.emitterId ?? '')}</bdi> · <GapStanding row={row} />
    </>
  );
}

function GapStanding({ row: { state, sinceMs, count } }: { row: GapRow }) {
  switch (state) {
    case 'waiting':
      return sinceMs === null ? <>waiting</> : <Waiting sinceMs={sinceMs} />;
    case 'recovered':
      return <>recovered{count === null ? '' : `: all ${count.toLocaleString('en')} arrived`}</>;
    case 'not_coming':
      return <>not coming</>;
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

/** Counts by the server's clock. */
function Waiting({ sinceMs }: { sinceMs: number }) {
  const nowMs = connection().clock.now.value;
  return <>waiting{nowMs === null ? '' : ` ${stopwatchText(nowMs - sinceMs)}`}</>;
}
