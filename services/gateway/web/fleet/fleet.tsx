import { useEffect, useMemo } from 'preact/hooks';
import { compareAddress, type Grouping, groupings } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { FirstSteps } from '../shell/first-steps.tsx';
import { linkTo, route, setOptions } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { TopBar } from '../shell/top-bar.tsx';
import { runsTotal } from '../shell/top-bar-facts.ts';
import { counted, countText } from '../text/numbers.ts';
import { FleetFilterBox, StateChips } from './fleet-filter-bar.tsx';
import { createFleetStore, type FleetStore } from './fleet-store.ts';
import { FleetTable } from './fleet-table.tsx';

/** The table of runs. */
export function Fleet() {
  const store = useMemo(() => createFleetStore(connection()), []);
  useEffect(() => () => store[Symbol.dispose](), [store]);
  const failed = store.shown.value?.counts.failed ?? 0;
  useTitle(failed === 0 ? '' : `✗ ${countText(failed)} failed`);
  if (runsTotal.value === 0) {
    return (
      <>
        <TopBar />
        <main class="view view-alone" tabIndex={-1}>
          <FirstSteps />
        </main>
      </>
    );
  }
  return (
    <>
      <TopBar>
        <FleetFilterBox store={store} />
        <StateChips store={store} />
        <GroupChoice store={store} />
      </TopBar>
      <main class="view fleet" tabIndex={-1}>
        <h1 class="visually-hidden">Runs</h1>
        {store.shown.value === null ? <p class="hint">Loading the runs …</p> : <FleetTable store={store} />}
      </main>
      <FleetStatus store={store} />
    </>
  );
}

function GroupChoice({ store }: { store: FleetStore }) {
  return (
    <label class="fleet-by">
      by:{' '}
      <select
        value={store.by.value ?? ''}
        onChange={(event) => {
          const value = event.currentTarget.value;
          setOptions('fleet', { by: groupings.find((each): each is Grouping => each === value) ?? null });
        }}
      >
        <option value="">nothing</option>
        {groupings.map((by) => (
          <option key={by} value={by}>
            {by}
          </option>
        ))}
      </select>
    </label>
  );
}

function FleetStatus({ store }: { store: FleetStore }) {
  const shown = store.shown.value;
  const marked = route.value.view === 'fleet' ? route.value.marked : [];
  return (
    <footer class="status-line">
      {shown !== null && (
        <span>
          {countText(shown.total)} of {counted(Math.max(shown.total, runsTotal.value ?? 0), 'run')}
        </span>
      )}
      {shown !== null && shown.moved > 0 ? (
        <button type="button" class="text-button" onClick={() => store.release()}>
          {counted(shown.moved, 'row')} moved: show
        </button>
      ) : (
        <span>rows do not move while the pointer is over them</span>
      )}
      {marked.length > 0 && (
        <span>
          {countText(marked.length)} marked · <a href={linkTo(compareAddress(marked))}>compare</a> ·{' '}
          <button type="button" class="text-button" onClick={() => setOptions('fleet', { marked: [] })}>
            clear
          </button>
        </span>
      )}
      <span class="status-line-end">
        j k move · enter open · x mark · c compare · / filter · s sort · b group · ? keys
      </span>
    </footer>
  );
}
