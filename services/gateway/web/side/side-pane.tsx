import type { RunScreen } from '../run/run-screen.ts';
import { Charts } from './charts.tsx';
import { Lanes } from './lanes.tsx';
import './usable-language.ts';

/** The panes beside the log. */
export function SidePane({ screen }: { screen: RunScreen }) {
  const axis = screen.axis.value;
  const timeline = screen.timeline.value;
  const { cursor } = screen;
  if (axis === null || timeline === null) return <aside class="side" />;
  return (
    <aside class="side">
      <Charts
        {...{ axis, timeline, cursor }}
        figures={screen.figures().value}
        seeds={screen.seeds.value}
        chosen={null}
        onChoose={() => undefined}
        onPlace={({ seq }) => screen.log.goTo(Math.round(seq))}
      />
      <Lanes
        {...{ axis, timeline, cursor }}
        seeds={screen.seeds.value}
        history={screen.seedHistory.value}
        onLife={screen.showLife}
        onRetry={screen.retrySeedHistory}
      />
    </aside>
  );
}
