import { useEffect, useLayoutEffect, useMemo } from 'preact/hooks';
import { adoptStyle } from '../shell/adopt-style.ts';
import { connection } from '../shell/connection.ts';
import { FirstSteps } from '../shell/first-steps.tsx';
import { isPrinting } from '../shell/printing.ts';
import { useTitle } from '../shell/title.ts';
import { TopBar } from '../shell/top-bar.tsx';
import { runsTotal } from '../shell/top-bar-facts.ts';
import { instantText } from '../text/dates.ts';
import { counted } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import style from './fleet.css';
import { FleetBar } from './fleet-bar.tsx';
import { createFleetCursor } from './fleet-cursor.ts';
import { createFleetMarks } from './fleet-marks.ts';
import type { FleetScreen } from './fleet-screen.ts';
import { FleetStatus } from './fleet-status.tsx';
import { createFleetStore } from './fleet-store.ts';
import { FleetTable } from './fleet-table.tsx';

adoptStyle(style);

/** The table of runs. */
export function Fleet() {
  const screen = useMemo((): FleetScreen => {
    const store = createFleetStore(connection());
    return { store, cursor: createFleetCursor(store.rows), marks: createFleetMarks() };
  }, []);
  // Not after the next frame: what is left before it would never be let go of.
  useLayoutEffect(() => () => screen.store[Symbol.dispose](), [screen]);
  const { store } = screen;
  const fleet = store.fleet.value;
  useEffect(() => {
    if (fleet !== null) runsTotal.value = fleet.total;
  }, [fleet]);
  useTitle(fleet === null || fleet.failed === 0 ? '' : `✗ ${fleet.failed.toLocaleString('en')} failed`);
  const isEmpty = fleet?.total === 0;
  return (
    <>
      <TopBar>{!isEmpty && <FleetBar screen={screen} />}</TopBar>
      <main class={isEmpty ? 'view view-alone' : 'view fleet'} tabIndex={-1}>
        {!isEmpty && <h1 class="visually-hidden">Runs</h1>}
        {!isEmpty && isPrinting.value && <PrintedHead screen={screen} />}
        {isEmpty ? <FirstSteps /> : <FleetTable screen={screen} />}
        {!isEmpty && store.total.value === 0 && <NoMatch screen={screen} />}
      </main>
      {!isEmpty && <FleetStatus screen={screen} />}
    </>
  );
}

/** Paper says which runs these are, and when its ages held. */
function PrintedHead({ screen: { store } }: { screen: FleetScreen }) {
  const total = store.total.value;
  const typed = store.typed.value.trim();
  const nowMs = connection().clock.now.value;
  return (
    <p class="hint">
      {counted(total ?? 0, 'run')}
      {typed !== '' && (
        <>
          {' '}
          that match <bdi>{visibleText(typed)}</bdi>
        </>
      )}
      {nowMs !== null && ` · ${instantText(nowMs)}`}
    </p>
  );
}

function NoMatch({ screen: { store } }: { screen: FleetScreen }) {
  const fleet = store.fleet.value;
  return (
    <p class="hint fleet-no-match">
      {fleet === null ? 'No run matches' : `None of ${counted(fleet.total, 'run')} matches`} the filter.{' '}
      <button type="button" class="text-button" onClick={() => store.setTyped('')}>
        Clear the filter
      </button>
    </p>
  );
}
