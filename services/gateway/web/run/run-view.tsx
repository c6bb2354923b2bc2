import { SimpleLog } from '../log/simple-log.tsx';
import { Failure } from '../shell/failure.tsx';
import { GoToBox } from '../shell/go-to-box.tsx';
import { route } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';
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
      <SimpleLog run={run} />
    </>
  );
}
