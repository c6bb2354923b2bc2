import type { ComponentChildren } from 'preact';
import { counted } from '../text/numbers.ts';
import { fleetAddress } from './address.ts';
import { isHelpShown } from './help-sheet.tsx';
import { LinkState } from './link-state.tsx';
import { linkTo, route } from './route.ts';
import { runsTotal, watching } from './top-bar-facts.ts';

/** The bar at the top of every view. `children` is what the view has there: its search, or the way back. */
export function TopBar({ children }: { children?: ComponentChildren }) {
  return (
    <header class="top-bar">
      <a class="brand" href={linkTo(fleetAddress())} aria-label="runlog: all runs">
        run<span class="brand-log">log</span>
      </a>
      <div class="top-bar-middle">{children}</div>
      <div class="top-bar-end">
        {watching.value !== null && (
          <span class="dim top-bar-watching" title="connections that show this run">
            {watching.value.toLocaleString('en')} watching
          </span>
        )}
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

/** The way back to the table of runs, as it was left. */
export function BackToRuns() {
  if (route.value.view === 'fleet') return null;
  return (
    <a class="back" href={linkTo(fleetAddress())}>
      ‹ {runsTotal.value === null ? 'all runs' : counted(runsTotal.value, 'run')}
    </a>
  );
}
