import type { RunScreen } from '../run/run-screen.ts';
import { later } from '../shell/later.tsx';
import { FilterBar } from './filter-bar.tsx';
import { LogView } from './log-view.tsx';

const RawTable = later(async () => (await import('./raw-table.tsx')).RawTable);

/** The log of a run with what stands around it. */
export function LogPanel({ screen }: { screen: RunScreen }) {
  return (
    <section class="log" aria-label="Event log">
      <FilterBar screen={screen} />
      {screen.log.isRaw.value ? <RawTable screen={screen} /> : <LogView screen={screen} />}
    </section>
  );
}
