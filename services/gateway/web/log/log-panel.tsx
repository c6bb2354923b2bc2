import type { RunScreen } from '../run/run-screen.ts';
import { FilterBar } from './filter-bar.tsx';
import { LogView } from './log-view.tsx';
import { RawTable } from './raw-table.tsx';

/** The log of a run with what stands around it. */
export function LogPanel({ screen }: { screen: RunScreen }) {
  return (
    <section class="log" aria-label="Event log">
      <FilterBar screen={screen} />
      {screen.log.isRaw.value ? <RawTable screen={screen} /> : <LogView screen={screen} />}
    </section>
  );
}
