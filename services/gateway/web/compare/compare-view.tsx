import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks';
import { evidenceOf } from '../run/evidence.ts';
import { axes, COMPARED_RUNS_MAX, type CompareAddress, runAddress } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { GoToBox } from '../shell/go-to-box.tsx';
import { goTo, route, setOptions } from '../shell/route.ts';
import { onShortcut, type ShortcutName } from '../shell/shortcuts.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';
import { useMoreSign } from '../shell/use-more-sign.ts';
import { chosenNames } from '../side/chart-model.ts';
import { EVENT_RATE } from '../side/figure-text.ts';
import { counted } from '../text/numbers.ts';
import { AddRun } from './add-run.tsx';
import { CompareChart } from './compare-chart.tsx';
import { createCompareFocus } from './compare-focus.ts';
import { CompareLegend } from './compare-legend.tsx';
import { comparedFigures } from './compare-lines.ts';
import { CompareTable } from './compare-table.tsx';
import { type Column, columnsFor, labelsOf, rowsOf } from './compared-table.ts';
import { COMPARED_FIGURES_MAX, FigureChoice } from './figure-choice.tsx';
import { aimOf } from './figure-summary.ts';
import { settingNames } from './run-settings.ts';
import { useComparison } from './use-comparison.ts';
import { useHasColours } from './use-has-colours.ts';

/** Several runs on shared axes. */
export function CompareView() {
  const address = route.value;
  if (address.view !== 'compare') return null;
  return (
    <>
      <TopBar>
        <BackToRuns />
        <GoToBox />
      </TopBar>
      <main class="view compare" tabIndex={-1}>
        <Compared address={address} />
      </main>
    </>
  );
}

function Compared({ address }: { address: CompareAddress }) {
  const { runs: keys, x: axis, sort, allFields } = address;
  useTitle(`${counted(keys.length, 'run')} compared`);
  const { runs } = useComparison();
  const hasColours = useHasColours();
  const focus = useMemo(createCompareFocus, []);
  const table = useRef<HTMLTableElement>(null);

  const labels = useMemo(() => labelsOf(keys), [keys]);
  const available = useMemo(
    () => [...new Set(runs.flatMap(({ figures }) => figures?.figures.map(({ name }) => name) ?? []))],
    [runs],
  );
  const usual = chosenNames(available, null).filter((name) => name !== EVENT_RATE);
  const names = (address.figures.length === 0 ? usual : address.figures).slice(0, COMPARED_FIGURES_MAX);
  const namesText = names.join('\n');
  const charts = useMemo(
    () => comparedFigures({ runs, names, axis, hasColours }),
    [runs, namesText, axis, hasColours],
  );
  const known = runs.flatMap(({ settings }) => (settings === null || settings === 'none' ? [] : [settings]));
  const differing = settingNames(known, { onlyDiffering: true });
  const all = settingNames(known, { onlyDiffering: false });
  const columns = columnsFor({ figures: names, settings: allFields ? all : differing });
  const { clock, unknownSinceMs } = connection();
  const at = { nowMs: clock.now.value, unknownSinceMs: unknownSinceMs.value };
  const rows = rowsOf({
    ...{ runs, columns, sort },
    standing: ({ snapshot }) => (snapshot === null ? null : evidenceOf(snapshot, at)),
  });

  const remove = useCallback((key: string) => {
    const held = route.peek();
    if (held.view === 'compare') setOptions('compare', { runs: held.runs.filter((each) => each !== key) });
  }, []);
  const sortBy = (column: Column) => setOptions('compare', { sort: nextSort(sort, column) });
  useKeys({
    'compare.axis': () => setOptions('compare', { x: axes[(axes.indexOf(axis) + 1) % axes.length]! }),
    'compare.next': () => step(1),
    'compare.previous': () => step(-1),
    'compare.open': () => {
      const key = focus.selected.peek();
      if (key !== null) goTo(runAddress(key));
    },
    'compare.remove': () => {
      const key = focus.selected.peek();
      if (key === null) return;
      step(1);
      if (focus.selected.peek() === key) focus.selected.value = null;
      remove(key);
    },
    'compare.sort': () => {
      const now = columns.findIndex(({ id }) => id === sort?.replace(/^-/, ''));
      const next = columns[now + 1];
      setOptions('compare', { sort: next === undefined ? null : firstSort(next) });
    },
    'compare.settings': () => setOptions('compare', { allFields: !allFields }),
    'compare.leave': () => {
      focus.selected.value = null;
    },
  });
  function step(by: number): void {
    const order = rows.map(({ run }) => run.key);
    const now = order.indexOf(focus.selected.peek() ?? '');
    const next =
      now === -1 ? (by > 0 ? 0 : order.length - 1) : Math.max(0, Math.min(order.length - 1, now + by));
    const key = order[next];
    if (key === undefined) return;
    focus.selected.value = key;
    const row = table.current?.querySelector(`tr[data-run="${key}"]`);
    row?.querySelector('a')?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
  }

  return (
    <>
      <header class="compare-head">
        <h1>{keys.length === 0 ? 'Compare runs' : `${counted(keys.length, 'run')} compared`}</h1>
        {keys.length > 0 && (
          <>
            <AxisChoice axis={axis} />
            <FigureChoice
              {...{ available, names }}
              isUsual={address.figures.length === 0}
              onChoose={(chosen) => setOptions('compare', { figures: chosen })}
            />
            <button
              type="button"
              aria-pressed={allFields}
              onClick={() => setOptions('compare', { allFields: !allFields })}
            >
              all settings
            </button>
          </>
        )}
        <AddRun keys={keys} onAdd={(key) => setOptions('compare', { runs: [...keys, key] })} />
      </header>
      {address.leftOut > 0 && (
        <p class="hint">
          {counted(address.leftOut, 'name')} of the address left out: at most {COMPARED_RUNS_MAX} runs are
          compared, each named cluster/run/group.
        </p>
      )}
      {keys.length === 0 ? (
        <p class="hint">
          No run is compared yet: add one above, or mark some in the table of all runs with x.
        </p>
      ) : (
        <>
          <section class="compare-drawn" aria-label="Charts">
            <div class="compare-charts">
              {charts.map((figure) => (
                <CompareChart key={figure.name} {...{ figure, axis, focus, labels }} />
              ))}
              {charts.length === 0 && <p class="hint">None of these runs has a figure yet.</p>}
            </div>
            <CompareLegend {...{ runs, labels, focus, hasColours }} />
          </section>
          <TableBox>
            <CompareTable
              {...{ table, rows, columns, sort, focus, hasColours }}
              onSort={sortBy}
              onRemove={remove}
            />
          </TableBox>
          <footer class="status-line">
            <span>{settingsText({ differing: differing.length, all: all.length, known: known.length })}</span>
            <span class="status-line-end">
              j k move · enter open · d remove · a add · x axis · s sort · f figures · ? keys
            </span>
          </footer>
        </>
      )}
    </>
  );
}

function TableBox({ children }: { children: ComponentChildren }) {
  const box = useRef<HTMLElement>(null);
  useMoreSign(box);
  return (
    <section class="compare-table-box" aria-label="Runs" ref={box}>
      {children}
    </section>
  );
}

function AxisChoice({ axis }: { axis: CompareAddress['x'] }) {
  return (
    <fieldset class="compare-axis">
      <legend class="visually-hidden">over</legend>
      {axes.map((each) => (
        <label key={each} class={each === axis ? 'is-chosen' : ''}>
          <input
            type="radio"
            name="axis"
            class="visually-hidden"
            checked={each === axis}
            onChange={() => setOptions('compare', { x: each })}
          />
          {each}
        </label>
      ))}
    </fieldset>
  );
}

/** Has keys do what the newest drawing says. The names are always the same. */
function useKeys(does: Partial<Record<ShortcutName, () => void>>): void {
  const latest = useRef(does);
  latest.current = does;
  useEffect(() => {
    const names = Object.keys(latest.current) as ShortcutName[];
    const stops = names.map((name) => onShortcut(name, () => latest.current[name]?.()));
    return () => {
      for (const stop of stops) stop();
    };
  }, []);
}

/** What is best comes first: a figure begins with its highest values, unless the lowest are the better ones. */
function firstSort(column: Column): string {
  const isNumber = column.kind === 'best' || column.kind === 'last' || column.kind === 'events';
  const isLowest = 'figure' in column && aimOf(column.figure) === 'lowest';
  return isNumber && !isLowest ? `-${column.id}` : column.id;
}

/** From the first direction to the other one, and then back to the order of the address. */
function nextSort(sort: string | null, column: Column): string | null {
  const first = firstSort(column);
  if (sort === first) return first.startsWith('-') ? column.id : `-${column.id}`;
  return sort === column.id || sort === `-${column.id}` ? null : first;
}

function settingsText(of: { differing: number; all: number; known: number }): string {
  if (of.known < 2) return '';
  if (of.differing === 0) return `all ${of.all} settings are the same`;
  return `${of.differing} of ${of.all} settings differ`;
}
