import type { RunRow } from '@runlog/schema/run/snapshot';
import { rateText } from './event-log-lines.ts';
import { clockAheadMs, nowMs, rows, search, selected, totalRuns } from './store.ts';

const ROWS_SHOWN_MAX = 200;
/** A row's figures are as old as its last event. After this time without an event, its rate counts as zero. */
const QUIET_AFTER_MS = 10_000;
const ORDER_GRAIN_MS = 60_000;

export function RunList() {
  const wanted = search.value.trim().toLowerCase();
  const found = [...rows.value]
    .filter(([key, row]) => wanted === '' || `${key} ${row.task_name ?? ''}`.toLowerCase().includes(wanted))
    .sort(([keyA, a], [keyB, b]) => recency(b) - recency(a) || (keyA < keyB ? -1 : 1));
  return (
    <>
      <div class="side-head">
        <h2>
          Runs <span class="count">{totalRuns.value ?? '…'}</span>
        </h2>
        <input
          class="search"
          type="search"
          placeholder="filter"
          aria-label="Filter runs"
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
      </div>
      <ul class="runs">
        {found.slice(0, ROWS_SHOWN_MAX).map(([key, row]) => (
          <Row key={key} runKey={key} row={row} />
        ))}
      </ul>
      {found.length > ROWS_SHOWN_MAX && (
        <p class="hint">{found.length - ROWS_SHOWN_MAX} more: narrow the filter.</p>
      )}
      {totalRuns.value !== null && found.length === 0 && <p class="hint">No runs{wanted && ' match'}.</p>}
    </>
  );
}

function Row({ runKey, row }: { runKey: string; row: RunRow }) {
  const ageMs = nowMs.value - clockAheadMs.value - Date.parse(row.last_received_at);
  const isQuiet = ageMs > QUIET_AFTER_MS;
  const state = row.status === 'running' ? (isQuiet ? 'quiet' : 'live') : row.status;
  const isSelected = selected.value === runKey;
  const progress = row.max_batches ? Math.min(1, row.current_batch / row.max_batches) : null;
  return (
    <li>
      <a
        class={isSelected ? 'run run-selected' : 'run'}
        href={`#${runKey}`}
        aria-current={isSelected ? 'true' : undefined}
      >
        <span class={`dot dot-${state}`} title={state} />
        <span class="run-name">
          {row.run_id}
          {row.group_id !== 'default' && <span class="run-group"> {row.group_id}</span>}
        </span>
        <span class="run-rate">
          {state === 'live' ? `${rateText(row.events_per_second)}/s` : state === 'quiet' ? age(ageMs) : state}
        </span>
        <span class="run-sub">
          {row.cluster_id}
          {row.task_name !== null && ` · ${row.task_name}`}
          {progress !== null && ` · ${row.current_batch}/${row.max_batches}`}
        </span>
        {progress !== null && <progress class="run-progress" value={progress} max={1} />}
      </a>
    </li>
  );
}

/** Rounds to the minute, so that runs that are all live do not change places all the time. */
function recency(row: RunRow): number {
  return Math.floor(Date.parse(row.last_received_at) / ORDER_GRAIN_MS);
}

function age(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)}h ago`;
  return `${Math.round(seconds / 86_400)}d ago`;
}
