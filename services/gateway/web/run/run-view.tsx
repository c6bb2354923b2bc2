import { useComputed } from '@preact/signals';
import { memo } from 'preact/compat';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { LogPanel } from '../log/log-panel.tsx';
import { connection } from '../shell/connection.ts';
import { Failure } from '../shell/failure.tsx';
import { GoToBox } from '../shell/go-to-box.tsx';
import { route } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';
import { Strip } from '../strip/strip.tsx';
import { TravelBand } from '../travel/travel-band.tsx';
import type { FollowedRun } from './followed-run.ts';
import { RunHeader } from './run-header.tsx';
import { createRunScreen, type RunScreen } from './run-screen.ts';
import { SideFrame } from './side-frame.tsx';
import { StatusLine } from './status-line.tsx';
import { useFollowedRun } from './use-followed-run.ts';

/** One run: its header, the strip of its whole life, the log, and the panes beside it. The page makes a new one for each key. */
export function RunView() {
  const address = route.value;
  if (address.view !== 'run') return null;
  return (
    <>
      <TopBar>
        <BackToRuns />
        <GoToBox />
      </TopBar>
      <Followed key={address.key} runKey={address.key} />
    </>
  );
}

function Followed({ runKey }: { runKey: string }) {
  const run = useFollowedRun(runKey);
  const isThere = useComputed(() => run.snapshot.value !== null);
  const failure = run.failure.value;
  const [, runId = '', group = ''] = runKey.split('/');
  // Of tabs with the groups of one run, each says which it is.
  const name = group === 'default' ? runId : `${runId} ${group}`;
  const { glyph, word } = run.standing.value;
  useTitle(failure === null ? `${glyph} ${word}` : '', name);
  if (isThere.value) return <Shown run={run} />;
  return (
    <main class="view view-alone" tabIndex={-1}>
      {failure === null ? (
        <p class="hint">Loading {runKey} …</p>
      ) : (
        <Failure of={{ ...failure, key: runKey }} />
      )}
    </main>
  );
}

const Shown = memo(({ run }: { run: FollowedRun }) => {
  const screen = useMemo(() => createRunScreen(run, { connection: connection() }), [run]);
  useLayoutEffect(() => () => screen[Symbol.dispose](), [screen]);
  const pane = screen.pane.value;
  return (
    <>
      {/* Where there is little room, the panes give way unless one was asked for. */}
      <main class="view run-view" tabIndex={-1} data-pane={pane ?? 'none'}>
        <RunHeader screen={screen} />
        <TravelBand screen={screen} />
        <RunStrip screen={screen} />
        <LogPanel screen={screen} />
        <SideFrame screen={screen} />
      </main>
      <StatusLine screen={screen} />
    </>
  );
});

function RunStrip({ screen }: { screen: RunScreen }) {
  const isRunning = useComputed(() => screen.run.standing.value.state === 'running').value;
  const inView = screen.log.inView.value;
  // The same part is the same object, so that nothing is drawn again for it.
  const shownPart = useMemo(() => inView, [inView?.fromSeq, inView?.toSeq]);
  const axis = screen.axis.value;
  const timeline = screen.timeline.value;
  if (axis === null || timeline === null) return <div class="strip" />;
  const { cursor, log } = screen;
  const at = screen.at.value;
  return (
    <Strip
      {...{ axis, timeline, at, cursor }}
      seeds={screen.allSeeds.value}
      emitters={screen.emitters.value}
      knownGaps={screen.knownGaps.value}
      window={shownPart}
      isLive={at === null && isRunning}
      onTravel={(seq) => screen.travelTo(seq >= axis.lastSeq ? null : seq)}
      onWindow={(seq) => log.goTo(Math.round(seq))}
    />
  );
}
