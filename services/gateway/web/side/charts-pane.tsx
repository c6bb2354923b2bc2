import './usable-language.ts';

import { useCallback, useState } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { tabStore } from '../shell/view-key.ts';
import type { ChartPlace } from './chart-model.ts';
import { Charts } from './charts.tsx';
import { storedFigures, storeFigures } from './chosen-figures.ts';
import { Lanes, type LifePlace } from './lanes.tsx';

/** The figures of a run and the lives of its seeds. A click on either goes to its place in the log. */
export function ChartsPane({ screen }: { screen: RunScreen }) {
  const { cursor, log } = screen;
  const [chosen, setChosen] = useState(() => storedFigures(tabStore()));
  const onChoose = useCallback((names: readonly string[] | null) => {
    storeFigures(tabStore(), names);
    setChosen(names);
  }, []);
  const onPlace = useCallback(({ seq }: ChartPlace) => log.goTo(seq), [log]);
  const onLife = useCallback((life: LifePlace) => screen.showLife(life), [screen]);
  const onRetry = useCallback(() => screen.retrySeedHistory(), [screen]);
  const axis = screen.axis.value;
  const timeline = screen.timeline.value;
  const at = screen.at.value;
  const seeds = screen.seeds.value;
  if (axis === null || timeline === null) return <p class="hint">Reading the outline of the run …</p>;
  return (
    <>
      <Charts
        {...{ axis, timeline, seeds, cursor, chosen, onChoose, onPlace }}
        figures={screen.figures().value}
        untilSeq={at}
      />
      <Lanes
        {...{ axis, timeline, seeds, cursor, onLife, onRetry }}
        history={screen.seedHistory.value}
        untilSeq={at}
      />
    </>
  );
}
