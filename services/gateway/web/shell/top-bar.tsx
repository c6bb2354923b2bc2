import type { RunsPage } from '@runlog/schema/http/gateway-api';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { counted } from '../text/numbers.ts';
import { fleetAddress } from './address.ts';
import { connection } from './connection.ts';
import { isHelpShown } from './help-sheet.tsx';
import { LinkState } from './link-state.tsx';
import { lastTable, linkTo, route } from './route.ts';
import { runsTotal } from './top-bar-facts.ts';
import { Watching } from './watching.tsx';

/** The bar at the top of every view. `children` is what the view has there: its search, or the way back. */
export function TopBar({ children }: { children?: ComponentChildren }) {
  const address = route.value;
  return (
    <header class="top-bar">
      <a class="brand" href={linkTo(fleetAddress())} aria-label="runlog: all runs">
        run<span class="brand-log">log</span>
      </a>
      <div class="top-bar-middle">{children}</div>
      <div class="top-bar-end">
        {address.view === 'run' && <Watching runKey={address.key} />}
        <LinkState />
        <button
          class="key-button"
          type="button"
          aria-label="Keys and help"
          aria-haspopup="dialog"
          onClick={() => {
            isHelpShown.value = true;
          }}
        >
          ?
        </button>
      </div>
    </header>
  );
}

/** The way back to the table of runs. */
export function BackToRuns() {
  const { link, keyWanted } = connection();
  const { state } = link.value;
  useEffect(() => {
    if (state !== 'open' || runsTotal.peek() !== null) return;
    const stop = new AbortController();
    void connection()
      .ask<RunsPage>('v1/runs', { query: { limit: 1 }, signal: stop.signal })
      .then((answer) => {
        if (answer.kind === 'ok') runsTotal.value = answer.body.total;
      });
    return () => stop.abort();
  }, [state]);
  const table = lastTable();
  const allRuns =
    runsTotal.value === null || keyWanted.value !== null ? 'all runs' : counted(runsTotal.value, 'run');
  return (
    <a class="back" href={linkTo(table)}>
      ‹ {table.q === '' ? allRuns : 'filtered runs'}
    </a>
  );
}
