import { EventLog } from './event-log.tsx';
import { FirstSteps } from './first-steps.tsx';
import { KeyPrompt } from './key-prompt.tsx';
import { LinkState } from './link-state.tsx';
import { RunHeader } from './run-header.tsx';
import { RunList } from './run-list.tsx';
import { refusal, selected, shown, totalRuns } from './store.ts';
import { keyWanted } from './view-key.ts';

export function Page() {
  const isEmpty = totalRuns.value === 0 && selected.value === null;
  return (
    <div class="page">
      <header class="bar">
        <span class="brand">
          run<span class="brand-log">log</span>
        </span>
        <LinkState />
      </header>
      <nav class="side" aria-label="Runs">
        <RunList />
      </nav>
      <main class="main">
        {refusal.value !== null ? (
          <p class="hint" role="alert">
            {refusal.value}
          </p>
        ) : keyWanted.value !== null ? (
          <KeyPrompt />
        ) : isEmpty ? (
          <FirstSteps />
        ) : (
          <SelectedRun />
        )}
      </main>
    </div>
  );
}

function SelectedRun() {
  const run = shown.value;
  if (selected.value === null) return <p class="hint">Select a run.</p>;
  if (run === null) return <p class="hint">Loading {selected.value} …</p>;
  return (
    <>
      <RunHeader run={run} />
      <EventLog run={run} />
    </>
  );
}
