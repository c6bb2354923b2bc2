import type { RunScreen } from '../run/run-screen.ts';
import { AbPane } from './ab-pane.tsx';
import { ChartsPane } from './charts-pane.tsx';

/** The panes that draw charts, which need the same library. */
export function DrawnPane({ pane, screen }: { pane: 'charts' | 'ab'; screen: RunScreen }) {
  return pane === 'charts' ? <ChartsPane screen={screen} /> : <AbPane screen={screen} />;
}
