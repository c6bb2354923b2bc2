import { useEffect, useMemo } from 'preact/hooks';
import { LogPanel } from '../log/log-panel.tsx';
import { connection } from '../shell/connection.ts';
import { Failure } from '../shell/failure.tsx';
import { GoToBox } from '../shell/go-to-box.tsx';
import { route } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';
import { SidePane } from '../side/side-pane.tsx';
import { Strip } from '../strip/strip.tsx';
import type { FollowedRun } from './followed-run.ts';
import { RunHeader } from './run-header.tsx';
import { createRunScreen, type RunScreen } from './run-screen.ts';
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
      <main class="view run-view" tabIndex={-1}>
        <Followed key={address.key} runKey={address.key} />
      </main>
    </>
  );
}

function Followed({ runKey }: { runKey: string }) {
  const run = useFollowedRun(runKey);
  const failure = run.failure.value;
  const [, name = ''] = runKey.split('/');
  const { glyph, word } = run.standing.value;
  useTitle(failure === null ? `${glyph} ${word}` : '', name);
  if (failure !== null) return <Failure of={{ ...failure, key: runKey }} />;
  if (run.snapshot.value === null) return <p class="hint">Loading {runKey} …</p>;
  return <Shown run={run} />;
}

function Shown({ run }: { run: FollowedRun }) {
  const screen = useMemo(() => createRunScreen(run, { connection: connection() }), [run]);
  useEffect(() => () => screen[Symbol.dispose](), [screen]);
  return (
    <>
      <RunHeader run={run} />
      <RunStrip screen={screen} />
      <LogPanel screen={screen} />
      <SidePane screen={screen} />
    </>
  );
}

function RunStrip({ screen }: { screen: RunScreen }) {
  const axis = screen.axis.value;
  const timeline = screen.timeline.value;
  if (axis === null || timeline === null) return <div class="strip" />;
  const { cursor, log } = screen;
  const at = screen.at.value;
  return (
    <Strip
      {...{ axis, timeline, at, cursor }}
      seeds={screen.seeds.value}
      emitters={screen.run.snapshot.value?.emitters}
      window={log.inView.value}
      isLive={at === null && screen.run.snapshot.value?.status === 'running'}
      onTravel={(seq) => screen.travelTo(seq >= axis.lastSeq ? null : seq)}
      onWindow={(seq) => log.goTo(Math.round(seq))}
    />
  );
}
