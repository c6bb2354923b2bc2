import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { EventLogLines } from '../event-log-lines.ts';
import { EventLog } from '../log/event-log.tsx';
import { Failure } from '../shell/failure.tsx';
import { GoToBox } from '../shell/go-to-box.tsx';
import { route } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';
import type { FollowedRun } from './followed-run.ts';
import { RunHeader } from './run-header.tsx';
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
  return (
    <>
      <RunHeader run={run} />
      <OldLog run={run} />
    </>
  );
}

/** Stands here until the log of rows does. */
function OldLog({ run }: { run: FollowedRun }) {
  const lines = useSignal({ eventLog: new EventLogLines() });
  useEffect(
    () =>
      run.onLog((update) => {
        const eventLog = update.kind === 'start' ? new EventLogLines() : lines.peek().eventLog;
        if (update.kind === 'gap') eventLog.addGap(update);
        if (update.kind === 'start' || update.kind === 'entries') {
          for (const entry of update.entries) eventLog.add(entry);
        }
        lines.value = { eventLog };
      }),
    [run, lines],
  );
  return (
    <EventLog
      lines={lines.value.eventLog}
      events={run.snapshot.value?.total_events_received ?? 0}
      eventsPerSecond={run.eventsPerSecond.value ?? 0}
    />
  );
}
