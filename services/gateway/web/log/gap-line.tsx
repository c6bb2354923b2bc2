import { connection } from '../shell/connection.ts';
import { stopwatchText } from '../text/ages.ts';
import { cutMiddle } from '../text/names.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { GapRow } from './gap-rows.ts';

interface GapLineProps {
  readonly row: GapRow;
  onExplain(): void;
  onRetry(): void;
}

/** A place where events are missing: how many, whether they may still come, since when, and whose. */
export function GapLine({ row, onExplain, onRetry }: GapLineProps) {
  return (
    <span class={`line-gap-text gap-${row.state}`} role="gridcell" title={titleOf(row)}>
      <span class="gap-sign" aria-hidden="true">
        ┄
      </span>
      <span class="gap-words">
        <GapWords row={row} />
      </span>
      {row.hasFailed === true && <LineButton does={onRetry}>try again</LineButton>}
      <LineButton does={onExplain}>what is this?</LineButton>
    </span>
  );
}

function LineButton({ does, children }: { does(): void; children: preact.ComponentChildren }) {
  return (
    <button
      type="button"
      class="text-button"
      tabIndex={-1}
      onClick={(event) => {
        event.stopPropagation();
        does();
      }}
    >
      {children}
    </button>
  );
}

/** The end of an emitter's id is what tells it from others less often than its beginning. */
const EMITTER_CHARS = 12;

function GapWords({ row }: { row: GapRow }) {
  const range = rangeText(row);
  if (row.cause === 'stream') {
    const left = row.missing === null ? 'events' : counted(row.missing, 'event');
    return (
      <>
        seq {range} · {left} left out · {streamStanding(row)}
      </>
    );
  }
  return (
    <>
      {(row.missing ?? row.count ?? 0).toLocaleString('en')} missing · <GapStanding row={row} /> · numbers{' '}
      {range} of emitter <bdi>{cutMiddle(visibleText(row.emitterId ?? ''), EMITTER_CHARS)}</bdi>
    </>
  );
}

function rangeText({ from, to }: GapRow): string {
  return from === to ? `${from}` : `${from}–${to}`;
}

function titleOf(row: GapRow): string {
  const whose = row.cause === 'stream' ? 'seq' : `emitter ${visibleText(row.emitterId ?? '')}, numbers`;
  return `${whose} ${rangeText(row)}`;
}

function streamStanding({ reason, hasFailed }: GapRow): string {
  if (hasFailed === true) return 'they cannot be had now';
  switch (reason) {
    case 'history_gone':
      return 'no longer kept';
    case 'forbidden':
      return 'this key may not read them';
    case 'no_such_run':
      return 'the run has begun anew';
    case 'not_supported':
      return 'this gateway cannot give them';
    case 'too_many':
    case 'unavailable':
    case null:
      return 'being fetched';
    default: {
      const unreachable: never = reason;
      throw new Error(`unknown reason ${String(unreachable)}`);
    }
  }
}

function GapStanding({ row: { state, sinceMs, asOfMs, count } }: { row: GapRow }) {
  switch (state) {
    case 'waiting':
      return sinceMs === null ? <>waiting</> : <Waiting {...{ sinceMs, asOfMs }} />;
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

/** Counts by the server's clock, unless it was in the past. */
function Waiting({ sinceMs, asOfMs }: { sinceMs: number; asOfMs: number | undefined }) {
  const nowMs = asOfMs ?? connection().clock.now.value;
  return <>waiting{nowMs === null ? '' : ` ${stopwatchText(nowMs - sinceMs)}`}</>;
}
