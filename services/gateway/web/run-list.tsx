import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import type { RunRow, RunState } from '@runlog/schema/run/snapshot';
import { rateText } from './event-log-lines.ts';
import { clockAheadMs, found, nowMs, ROWS_MAX, rows, search, selected } from './store.ts';

const ORDER_GRAIN_MS = 60_000;

export function RunList() {
  const listed = [...rows.value].sort(
    ([keyA, a], [keyB, b]) => recency(b) - recency(a) || (keyA < keyB ? -1 : 1),
  );
  const total = found.value?.total ?? null;
  return (
    <>
      <div class="side-head">
        <h2>
          Runs <span class="count">{total ?? '…'}</span>
        </h2>
        <input
          class="search"
          type="search"
          placeholder="filter"
          aria-label="Filter runs"
          maxLength={QUERY_CHARS_MAX}
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
      </div>
      <ul class="runs">
        {listed.map(([key, row]) => (
          <Row key={key} runKey={key} row={row} />
        ))}
      </ul>
      {total !== null && total > ROWS_MAX && <p class="hint">{total - ROWS_MAX} more: narrow the filter.</p>}
      {total === 0 && <p class="hint">No runs{found.value?.search && ' match'}.</p>}
    </>
  );
}

function Row({ runKey, row }: { runKey: string; row: RunRow }) {
  const ageMs = nowMs.value - clockAheadMs.value - Date.parse(row.last_received_at);
  const isSelected = selected.value === runKey;
  const progress = row.max_batches ? Math.min(1, row.current_batch / row.max_batches) : null;
  return (
    <li>
      <a
        class={isSelected ? 'run run-selected' : 'run'}
        href={`#${runKey}`}
        aria-current={isSelected ? 'true' : undefined}
      >
        <span class={`dot dot-${row.state}`} title={stateWords[row.state]} />
        <span class="run-name">
          {row.run_id}
          {row.group_id !== 'default' && <span class="run-group"> {row.group_id}</span>}
        </span>
        <span class="run-rate">{standing(row, ageMs)}</span>
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

const stateWords: Record<RunState, string> = {
  running: 'running',
  quiet: 'quiet',
  lost_contact: 'lost contact',
  finished: 'finished',
  failed: 'failed',
};

/** Says how a run stands: how fast it is, or for how long it has been silent, or how it ended. */
function standing(row: RunRow, ageMs: number): string {
  if (row.state === 'running' && row.events_per_second > 0) return `${rateText(row.events_per_second)}/s`;
  return row.state === 'running' || row.state === 'quiet' ? age(ageMs) : stateWords[row.state];
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
