import type { Signal } from '@preact/signals';
import type { IndexUpdate } from '@runlog/client/index-channel';
import { QUERY_CHARS_MAX } from '@runlog/schema/limits';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';
import { evidenceOf } from '../run/evidence.ts';
import { runAddress } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { linkTo } from '../shell/route.ts';

export const ROWS_MAX = 200;

export function RunList({ found, search }: { found: IndexUpdate | null; search: Signal<string> }) {
  return (
    <>
      <div class="side-head">
        <h2>
          Runs <span class="count">{found?.total ?? '…'}</span>
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
        {found?.rows.map((row) => (
          <Row key={formatRunKey(row)} row={row} />
        ))}
      </ul>
      {found !== null && found.total > ROWS_MAX && (
        <p class="hint">{found.total - ROWS_MAX} more: narrow the filter.</p>
      )}
      {found?.total === 0 && <p class="hint">No runs match.</p>}
    </>
  );
}

function Row({ row }: { row: RunRow }) {
  const { clock, unknownSinceMs } = connection();
  const { state, glyph, word, detail } = evidenceOf(row, {
    nowMs: clock.now.value,
    unknownSinceMs: unknownSinceMs.value,
  });
  return (
    <li>
      <a class="run" href={linkTo(runAddress(formatRunKey(row)))}>
        <span class={`state state-${state}`}>{glyph}</span>
        <span class="run-name">
          <bdi>{row.run_id}</bdi>
          {row.group_id !== 'default' && <span class="run-group"> {row.group_id}</span>}
        </span>
        <span class="run-rate">
          {word} {detail}
        </span>
      </a>
    </li>
  );
}
