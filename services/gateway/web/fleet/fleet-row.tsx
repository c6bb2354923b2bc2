import type { RunRow } from '@runlog/schema/run/snapshot';
import { memo } from 'preact/compat';
import { evidenceOf, stateGlyphs, stateWords } from '../run/evidence.ts';
import { type Grouping, runAddress } from '../shell/address.ts';
import { PartedName } from '../shell/parted-name.tsx';
import { linkTo } from '../shell/route.ts';
import { columnText, counted, countText, NO_NUMBER, rateText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { COLUMNS_SPANNED } from './fleet-columns.ts';
import type { FleetGroup } from './fleet-layout.ts';
import { whyOf } from './row-why.ts';
import { Sparkline } from './sparkline.tsx';

export interface FleetRowActions {
  open(key: string): void;
  /** Writes what was typed to the address, so that the way back finds it. */
  flush(): void;
  mark(key: string): void;
  point(position: number): void;
}

interface RowProps {
  readonly row: RunRow;
  readonly runKey: string;
  readonly position: number;
  /** The names around it, from which its own is told apart. */
  readonly names: readonly string[];
  readonly nowMs: number | null;
  readonly unknownSinceMs: number | null;
  readonly isActive: boolean;
  readonly isMarked: boolean;
  readonly actions: FleetRowActions;
}

/** The id of the element of a row. */
export const rowElementId = (position: number): string => `run-at-${position}`;

export const RowView = memo(
  (props: RowProps) => {
    const { row, runKey, position, isActive, isMarked, actions } = props;
    const evidence = evidenceOf(row, props);
    const why = whyOf(row, evidence, props.nowMs);
    return (
      <tr
        id={rowElementId(position)}
        class={rowClass(props)}
        aria-rowindex={position + 2}
        aria-selected={isActive}
        data-key={runKey}
        onClick={(event) => {
          if ((event.target as Element).closest('a, input, label') !== null) return;
          // Whoever drags over text to copy it does not press.
          if (!(document.getSelection()?.isCollapsed ?? true)) return;
          actions.point(position);
          actions.open(runKey);
        }}
      >
        <td class="cell-mark">
          <label>
            <input
              type="checkbox"
              tabIndex={-1}
              checked={isMarked}
              aria-label={`Mark ${row.run_id} for a comparison`}
              onChange={(event) => {
                // The address decides.
                event.currentTarget.checked = isMarked;
                actions.mark(runKey);
              }}
            />
          </label>
        </td>
        <td class="cell-state" title={why.title}>
          <span class={`state state-${evidence.state}`} aria-hidden="true">
            {evidence.glyph}
          </span>{' '}
          {stateWords[evidence.state]}
        </td>
        <td class="cell-age" title={why.title}>
          {why.age}
        </td>
        <td class={why.isReason ? 'cell-why bad' : 'cell-why'} title={why.title}>
          <bdi>{why.text}</bdi>
        </td>
        <th scope="row" class="cell-run">
          <RunName row={row} runKey={runKey} names={props.names} onFollow={actions.flush} />
        </th>
        <Figures row={row} />
      </tr>
    );
  },
  (held, next) => isSame(held, next),
);

function rowClass({ row: { state }, isActive, isMarked }: RowProps): string {
  const over = state === 'finished' ? ' fleet-row-over' : '';
  return `fleet-row${over}${isActive ? ' fleet-row-active' : ''}${isMarked ? ' fleet-row-marked' : ''}`;
}

/** The names around a row matter only when its own is drawn anew. */
function isSame(held: RowProps, next: RowProps): boolean {
  return (
    held.row === next.row &&
    held.position === next.position &&
    held.nowMs === next.nowMs &&
    held.unknownSinceMs === next.unknownSinceMs &&
    held.isActive === next.isActive &&
    held.isMarked === next.isMarked
  );
}

interface RunNameProps extends Pick<RowProps, 'row' | 'runKey' | 'names'> {
  onFollow(): void;
}

function RunName({ row, runKey, names, onFollow }: RunNameProps) {
  const { cluster_id: cluster, run_id: run, group_id: group } = row;
  return (
    <a
      class="run-link"
      href={linkTo(runAddress(runKey))}
      tabIndex={-1}
      aria-label={runKey}
      title={`${cluster} / ${run}${group === 'default' ? '' : ` · ${group}`}`}
      onClick={onFollow}
    >
      <span class="run-cluster">
        <bdi>{cluster}</bdi> /{' '}
      </span>
      <PartedName name={run} others={names} kind="run-name" />
      {group !== 'default' && (
        <span class="tag run-group">
          <bdi>{group}</bdi>
        </span>
      )}
    </a>
  );
}

function Figures({ row }: { row: RunRow }) {
  const { task_name: task, batch_avg_accuracy: accuracy, batch_avg_reward: reward } = row;
  const { events_per_second: rate, missing, missing_is_exact: isExact } = row;
  return (
    <>
      <td class="cell-task" title={task === null ? undefined : visibleText(task)}>
        {task !== null && <bdi>{visibleText(task)}</bdi>}
      </td>
      <td class="cell-round">
        <Round row={row} />
      </td>
      <td class={accuracy === null ? 'cell-accuracy dim' : 'cell-accuracy'}>
        {accuracy === null ? NO_NUMBER : accuracy.toFixed(1)}
      </td>
      <td class="cell-spark">{row.spark.length > 1 && <Sparkline values={row.spark} />}</td>
      <td class={reward === null ? 'cell-reward dim' : 'cell-reward'}>{columnText(reward)}</td>
      <td class={rate > 0 ? 'cell-rate' : 'cell-rate dim'}>{rate > 0 ? rateText(rate) : NO_NUMBER}</td>
      <td class="cell-events">{countText(row.total_events_received)}</td>
      <td class={missing > 0 ? 'cell-missing warn' : 'cell-missing dim'}>
        {isExact ? '' : '≥ '}
        {countText(missing)}
      </td>
    </>
  );
}

function Round({ row: { current_batch: batch, max_batches: of, state } }: { row: RunRow }) {
  if (of === null || of <= 0) return batch > 0 ? <span class="round-count">{countText(batch)}</span> : null;
  return (
    <>
      <progress
        // A run that has finished has nothing left to do, wherever it stopped.
        value={state === 'finished' ? of : Math.min(batch, of)}
        max={of}
        aria-hidden="true"
      />
      <span class="round-count">
        {batch}
        <span class="dim">/{of}</span>
      </span>
    </>
  );
}

/** A row that the server has not sent yet. */
export function UnknownRow({ position }: { position: number }) {
  return (
    <tr id={rowElementId(position)} class="fleet-row fleet-row-unknown" aria-rowindex={position + 2}>
      <td class="cell-unknown" colSpan={COLUMNS_SPANNED}>
        …
      </td>
    </tr>
  );
}

export function GroupHead({ group, by }: { group: FleetGroup; by: Grouping }) {
  return (
    <tr class="fleet-group">
      <th scope="rowgroup" class="group-name" colSpan={COLUMNS_SPANNED}>
        {groupName(group, by)} <span class="dim">{counted(group.runs, 'run')}</span>
      </th>
    </tr>
  );
}

function groupName({ value, isRest }: FleetGroup, by: Grouping) {
  if (isRest) return 'other groups';
  if (value === null) return `without ${by}`;
  const glyph =
    by === 'state' ? Object.entries(stateGlyphs).find(([state]) => state === value)?.[1] : undefined;
  const word =
    by === 'state' ? Object.entries(stateWords).find(([state]) => state === value)?.[1] : undefined;
  return (
    <>
      {glyph !== undefined && (
        <span class={`state-${value}`} aria-hidden="true">
          {glyph}{' '}
        </span>
      )}
      <bdi>{word ?? visibleText(value)}</bdi>
    </>
  );
}
