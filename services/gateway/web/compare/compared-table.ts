import type { Evidence } from '../run/evidence.ts';
import { figureLabel, figureValueText } from '../side/figure-text.ts';
import { tellApart } from '../text/names.ts';
import { countText, NO_NUMBER } from '../text/numbers.ts';
import type { ComparedRun } from './comparison.ts';
import { aimOf, summaryOf } from './figure-summary.ts';

/** What a column shows: the run itself, the best or the last value of a figure, or a setting. */
export type Column =
  | { readonly id: string; readonly kind: 'run' | 'state' | 'round' | 'events'; readonly title: string }
  | { readonly id: string; readonly kind: 'best' | 'last'; readonly title: string; readonly figure: string }
  | { readonly id: string; readonly kind: 'setting'; readonly title: string; readonly setting: string };

export interface Cell {
  readonly text: string;
  /** What the rows are sorted by; null comes last either way. */
  readonly sortedBy: number | string | null;
  /** Whether no other run has a better value, and some have a worse one. */
  readonly isBest: boolean;
}

export interface Row {
  readonly run: ComparedRun;
  readonly label: string;
  readonly standing: Evidence | null;
  /** In the order of the columns. */
  readonly cells: readonly Cell[];
}

const LABEL_CHARS_MAX = 28;
const stateOrder = ['failed', 'lost_contact', 'quiet', 'running', 'finished'];

/** Returns the columns for figures and settings, in the order in which they are shown. */
export function columnsFor(of: {
  readonly figures: readonly string[];
  readonly settings: readonly string[];
}): readonly Column[] {
  return [
    { id: 'run', kind: 'run', title: 'run' },
    { id: 'state', kind: 'state', title: 'state' },
    { id: 'round', kind: 'round', title: 'round' },
    { id: 'events', kind: 'events', title: 'events' },
    ...of.figures.flatMap((figure): Column[] => [
      { id: `best:${figure}`, kind: 'best', title: bestWord(figure), figure },
      { id: `last:${figure}`, kind: 'last', title: 'last', figure },
    ]),
    ...of.settings.map(
      (setting): Column => ({ id: `field:${setting}`, kind: 'setting', title: setting, setting }),
    ),
  ];
}

/** What a column is called where its group is not seen. */
export function columnName(column: Column): string {
  return column.kind === 'best' || column.kind === 'last'
    ? `${column.title} ${figureLabel(column.figure)}`
    : column.title;
}

/** The names of runs as short as they stay apart: what all have in common of cluster and group is left out. */
export function labelsOf(keys: readonly string[]): ReadonlyMap<string, string> {
  const parts = keys.map((key) => key.split('/'));
  const differs = (at: number) => parts.some((each) => each[at] !== parts[0]![at]);
  const [hasCluster, hasGroup] = [differs(0), differs(2)];
  const names = parts.map(([cluster, run, group]) =>
    [hasCluster ? cluster : null, run, hasGroup ? group : null].filter((part) => part !== null).join('/'),
  );
  const shown = tellApart(names, LABEL_CHARS_MAX);
  return new Map(keys.map((key, at) => [key, shown.get(names[at]!)!]));
}

/** Returns the rows, sorted. `sort` is the id of a column, with `-` before it for descending; null: in the order of `runs`. */
export function rowsOf(of: {
  readonly runs: readonly ComparedRun[];
  readonly columns: readonly Column[];
  readonly sort: string | null;
  standing(run: ComparedRun): Evidence | null;
}): readonly Row[] {
  const labels = labelsOf(of.runs.map(({ key }) => key));
  const facts = of.runs.map((run) => ({
    ...{ run, label: labels.get(run.key)!, standing: of.standing(run) },
  }));
  const cells = of.columns.map((column) =>
    withBest(
      facts.map((fact) => cellOf(column, fact)),
      column,
    ),
  );
  const rows = facts.map((fact, at): Row => ({ ...fact, cells: cells.map((column) => column[at]!) }));
  return sorted(rows, of.columns, of.sort);
}

function sorted(rows: readonly Row[], columns: readonly Column[], sort: string | null): readonly Row[] {
  if (sort === null) return rows;
  const isDescending = sort.startsWith('-');
  const at = columns.findIndex(({ id }) => id === (isDescending ? sort.slice(1) : sort));
  if (at === -1) return rows;
  return [...rows].sort((a, b) => {
    const [left, right] = [a.cells[at]!.sortedBy, b.cells[at]!.sortedBy];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    const order =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : String(left).localeCompare(String(right), 'en', { numeric: true });
    return isDescending ? -order : order;
  });
}

const noCell: Cell = { text: NO_NUMBER, sortedBy: null, isBest: false };

function cellOf(column: Column, of: Pick<Row, 'run' | 'label' | 'standing'>): Cell {
  const { run, label, standing } = of;
  const { snapshot, figures, settings } = run;
  switch (column.kind) {
    case 'run':
      return { text: label, sortedBy: run.key, isBest: false };
    case 'state': {
      if (standing === null) return noCell;
      const rank = stateOrder.indexOf(standing.state);
      return { text: standing.word, sortedBy: rank === -1 ? null : rank, isBest: false };
    }
    case 'round': {
      if (snapshot === null) return noCell;
      const { current_batch: round, max_batches: all } = snapshot;
      const text = all === null || all <= 0 ? countText(round) : `${countText(round)}/${countText(all)}`;
      return { text, sortedBy: round, isBest: false };
    }
    case 'events': {
      if (snapshot === null) return noCell;
      const events = snapshot.total_events_received - snapshot.duplicates;
      return { text: countText(events), sortedBy: events, isBest: false };
    }
    case 'best':
    case 'last': {
      const figure = figures?.figures.find(({ name }) => name === column.figure);
      const value = figure === undefined ? null : summaryOf(figure)[column.kind];
      return value === null ? noCell : numberCell(column.figure, value);
    }
    case 'setting': {
      const value = settings === null || settings === 'none' ? undefined : settings.get(column.setting);
      if (value === undefined) return noCell;
      const number = Number(value);
      return { text: value, sortedBy: value === '' || Number.isNaN(number) ? value : number, isBest: false };
    }
    default: {
      const unreachable: never = column;
      throw new Error(`unknown column ${String(unreachable)}`);
    }
  }
}

function numberCell(figure: string, value: number): Cell {
  return { text: figureValueText(figure, value), sortedBy: value, isBest: false };
}

/** Marks the best of a column of figures. If all are equal, none is the best. */
function withBest(cells: readonly Cell[], column: Column): readonly Cell[] {
  if (column.kind !== 'best' && column.kind !== 'last') return cells;
  const aim = aimOf(column.figure);
  const values = cells.map(({ sortedBy }) => sortedBy).filter((value) => typeof value === 'number');
  if (aim === null || values.length < 2) return cells;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) return cells;
  const best = aim === 'highest' ? high : low;
  return cells.map((cell) => (cell.sortedBy === best ? { ...cell, isBest: true } : cell));
}

function bestWord(figure: string): string {
  return aimOf(figure) === null ? 'max' : 'best';
}
