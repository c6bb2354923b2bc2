import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { markedIn } from './fleet-marks.ts';
import type { FleetScreen } from './fleet-screen.ts';

/** How much of the table is in view, the marked runs, and the keys. */
export function FleetStatus({ screen }: { screen: FleetScreen }) {
  const { store, marks } = screen;
  const marked = markedIn().length;
  const note = marks.note.value;
  return (
    <footer class="status-line fleet-status">
      <InView screen={screen} />
      <span class="fleet-status-rule">
        {store.isHeld.value
          ? 'rows do not move while pointer or focus is on them'
          : 'rows do not move while the pointer is over them'}
      </span>
      {marked > 0 && (
        <span class="fleet-marked">
          {counted(marked, 'run')} marked
          <button type="button" class="small-button" onClick={() => marks.compare()}>
            compare
          </button>
          <button type="button" class="small-button" onClick={() => marks.clear()}>
            unmark
          </button>
        </span>
      )}
      <output class="warn">{note}</output>
      <span class="status-line-end">
        j k move · enter open · x mark · c compare · / filter · s sort · b group · ? keys
      </span>
    </footer>
  );
}

function InView({ screen: { store } }: { screen: FleetScreen }) {
  const total = store.total.value;
  const seen = store.inView.value;
  const refusal = store.refusal.value;
  if (refusal !== null) {
    return (
      <span class="bad" role="alert">
        the gateway does not show these runs: <bdi>{visibleText(refusal)}</bdi>
      </span>
    );
  }
  if (total === null) return <span>asking for the runs …</span>;
  return (
    <span class="fleet-in-view">
      {countText(Math.min(seen, total))} of {counted(total, 'run')} in view
    </span>
  );
}
