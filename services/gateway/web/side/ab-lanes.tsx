import { useCallback, useMemo } from 'preact/hooks';
import { formatFilter, noFilter } from '../log/log-filter.ts';
import type { RunScreen } from '../run/run-screen.ts';
import { runAddress } from '../shell/address.ts';
import { goTo } from '../shell/route.ts';
import { countText } from '../text/numbers.ts';
import { seedsUntil } from './ab-model.ts';
import type { BesideRun } from './beside-run.ts';
import { Lanes, type LifePlace } from './lanes.tsx';
import { createSharedCursor } from './shared-cursor.ts';

/**
 * The seeds of A and of B beside each other. A life of A is shown in the log, one of B in the log of B. While A is shown as of
 * an event, B ends with the round that A had reached (`asOfB`), as soon as it is known where that is.
 */
export function AbLanes(props: {
  screen: RunScreen;
  beside: BesideRun;
  asOfB: { readonly round: number; readonly seq: number } | null;
}) {
  const { screen, beside } = props;
  const at = screen.at.value;
  const asOfB = at === null ? null : props.asOfB;
  const untilB = asOfB?.seq ?? null;
  const allOfB = beside.seeds.value;
  const seedsOfB = useMemo(() => seedsUntil(allOfB, untilB), [allOfB, untilB]);
  const otherCursor = useMemo(createSharedCursor, []);
  const onLife = useCallback((life: LifePlace) => screen.showLife(life), [screen]);
  const onRetry = useCallback(() => screen.retrySeedHistory(), [screen]);
  const onOtherLife = useCallback(
    ({ env, slot, toSeq }: LifePlace) => {
      const filter = { ...noFilter, envs: env === null ? [] : [env], slots: slot === '' ? [] : [slot] };
      const { key } = beside.run;
      goTo(runAddress(key, { log: formatFilter(filter), event: toSeq, pane: 'ab', b: screen.run.key }));
    },
    [beside, screen],
  );
  const onOtherRetry = useCallback(() => beside.retrySeedHistory(), [beside]);
  const [axis, timeline] = [screen.axis.value, screen.timeline.value];
  const [otherAxis, otherTimeline] = [beside.axis.value, beside.run.timeline.value];
  return (
    <div class="ab-lanes">
      <div>
        <p class="ab-a">A{at !== null && `, as of event ${countText(at)}`}</p>
        {axis !== null && timeline !== null && (
          <Lanes
            name="Seed lives of A"
            {...{ axis, timeline, onLife, onRetry }}
            seeds={screen.seeds.value}
            history={screen.seedHistory.value}
            cursor={screen.cursor}
            untilSeq={at}
          />
        )}
      </div>
      <div>
        <p class="ab-b">
          B{at !== null && (asOfB === null ? ', live' : `, as of its round ${countText(asOfB.round)}`)}
        </p>
        {otherAxis !== null && otherTimeline !== null && (
          <Lanes
            name="Seed lives of B"
            axis={otherAxis}
            timeline={otherTimeline}
            seeds={seedsOfB}
            untilSeq={untilB}
            history={beside.seedHistory.value}
            cursor={otherCursor}
            onLife={onOtherLife}
            onRetry={onOtherRetry}
          />
        )}
      </div>
    </div>
  );
}
