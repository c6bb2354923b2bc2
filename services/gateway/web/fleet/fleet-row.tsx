import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';
import { memo } from 'preact/compat';
import { evidenceOf } from '../run/evidence.ts';
import { runAddress } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { linkTo } from '../shell/route.ts';
import { nameParts } from '../text/names.ts';
import { countText, figureText, rateText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { Sparkline } from './sparkline.tsx';

export interface FleetRowProps {
  readonly row: RunRow;
  /** Its line in the table, from 0. */
  readonly line: number;
  /** The name of the row above, from which this one must be told. */
  readonly above: string | null;
  readonly isActive: boolean;
  readonly isMarked: boolean;
}

/** The id of a row's element, which `aria-activedescendant` names. */
export const fleetRowId = (key: string): string => `run-${key}`;

/** One run. It is drawn again only if it changes; its age runs by itself. */
export const FleetRow = memo(({ row, line, above, isActive, isMarked }: FleetRowProps) => {
  const key = formatRunKey(row);
  const accuracy = row.batch_avg_accuracy;
  return (
    <div
      id={fleetRowId(key)}
      class={`fleet-row${isActive ? ' fleet-row-active' : ''}${isMarked ? ' fleet-row-marked' : ''}`}
      role="row"
      aria-rowindex={line + 2}
      aria-selected={isActive}
      data-key={key}
      style={{ transform: `translateY(calc(${line} * var(--fleet-row-height)))` }}
    >
      <StateCells row={row} />
      <span class="fleet-run" role="gridcell">
        {isMarked && (
          <span class="fleet-mark" title="marked for a comparison (x)">
            <span aria-hidden="true">×</span>
            <span class="visually-hidden">marked</span>
          </span>
        )}
        <a href={linkTo(runAddress(key))} tabIndex={-1} title={key} aria-label={key}>
          <span class="dim">
            <bdi>{row.cluster_id}</bdi> /{' '}
          </span>
          <Name name={row.run_id} above={above} />
        </a>
        {row.group_id !== 'default' && (
          <span class="tag">
            <bdi>{row.group_id}</bdi>
          </span>
        )}
        {row.attempt > 1 && <span class="tag">attempt {countText(row.attempt)}</span>}
      </span>
      <span class="fleet-task" role="gridcell" title={row.task_name ?? undefined}>
        <bdi>{visibleText(row.task_name ?? '')}</bdi>
      </span>
      <Round row={row} />
      <span class="fleet-number fleet-accuracy" role="gridcell">
        {accuracy === null ? '–' : accuracy.toFixed(1)}
      </span>
      <span class="fleet-spark" role="gridcell">
        {row.spark.length > 1 && <Sparkline values={row.spark} />}
      </span>
      <span class="fleet-number fleet-reward" role="gridcell">
        {figureText(row.batch_avg_reward)}
      </span>
      <span class="fleet-number fleet-rate dim" role="gridcell">
        {row.events_per_second > 0 ? rateText(row.events_per_second) : '–'}
      </span>
      <span class="fleet-number fleet-events" role="gridcell">
        {countText(row.total_events_received)}
      </span>
      <span class={`fleet-number fleet-missing ${row.missing > 0 ? 'warn' : 'faint'}`} role="gridcell">
        {row.missing_is_exact ? '' : '≥ '}
        {countText(row.missing)}
      </span>
    </div>
  );
});

/** The state, and what it rests on: the reason of a failure, else the age of the newest event. */
function StateCells({ row }: { row: RunRow }) {
  const { clock, unknownSinceMs } = connection();
  const { state, glyph, word, detail } = evidenceOf(row, {
    nowMs: clock.now.value,
    unknownSinceMs: unknownSinceMs.value,
  });
  const reason = state === 'failed' ? (row.end?.reason ?? null) : null;
  return (
    <>
      <span class={`fleet-state state-${state}`} role="gridcell">
        <span class="fleet-glyph" aria-hidden="true">
          {glyph}
        </span>
        {word}
      </span>
      <span
        class={`fleet-why ${reason === null ? 'dim' : 'bad'}`}
        role="gridcell"
        title={whyTitle(reason, detail)}
      >
        {reason === null ? detail : <bdi>{visibleText(reason)}</bdi>}
      </span>
    </>
  );
}

function whyTitle(reason: string | null, detail: string): string {
  return reason === null ? detail : `${visibleText(reason)} · ${detail}`;
}

function Round({ row }: { row: RunRow }) {
  const { current_batch: done, max_batches: all } = row;
  return (
    <span class="fleet-round" role="gridcell">
      {all !== null && all > 0 && (
        <progress value={Math.min(done, all)} max={all} aria-label={`round ${done} of ${all}`} />
      )}
      <span class="fleet-number">
        {countText(done)}
        {all !== null && <span class="dim">/{countText(all)}</span>}
      </span>
    </span>
  );
}

function Name({ name, above }: { name: string; above: string | null }) {
  const { head, tail } = nameParts(name, above === null ? [] : [above]);
  return (
    <bdi class="name">
      <span class="name-head">{head}</span>
      <span>{tail}</span>
    </bdi>
  );
}
