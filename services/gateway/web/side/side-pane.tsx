import type { ComponentChildren } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { type Pane, panes } from '../shell/address.ts';
import { later } from '../shell/later.tsx';
import { setOptions } from '../shell/route.ts';
import { onShortcut } from '../shell/shortcuts.ts';
import { panelId, paneShortcut, SideTabs, tabId } from './side-tabs.tsx';

// A pane is loaded when it is first shown; charts alone are as large as half of the page. The log need not wait for any.
const DrawnPane = later(async () => (await import('./drawn-pane.tsx')).DrawnPane);
const TextPane = later(async () => (await import('./text-pane.tsx')).TextPane);

/** The panes beside the log. The address says which one is shown (`pane=`). */
export function SidePane({ screen }: { screen: RunScreen }) {
  const pane = screen.pane.value ?? 'charts';
  useLayoutEffect(() => {
    const unlisten = panes.map((each) => onShortcut(paneShortcut(each), () => showPane(each)));
    return () => {
      for (const end of unlisten) end();
    };
  }, []);
  return (
    <aside class="side" aria-label="Beside the log">
      <SideTabs pane={pane} onPane={showPane} />
      <div
        class="side-panel"
        role="tabpanel"
        id={panelId(pane)}
        aria-labelledby={tabId(pane)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
        tabIndex={0}
      >
        {paneOf(pane, screen)}
      </div>
    </aside>
  );
}

function showPane(pane: Pane): void {
  // Where there is little room, only a pane that the address names is shown, the charts too.
  setOptions('run', { pane });
}

function paneOf(pane: Pane, screen: RunScreen): ComponentChildren {
  switch (pane) {
    case 'charts':
    case 'ab':
      return <DrawnPane {...{ pane, screen }} />;
    case 'event':
    case 'raw':
    case 'proof':
      return <TextPane {...{ pane, screen }} />;
    default: {
      const unreachable: never = pane;
      throw new Error(`unknown pane ${String(unreachable)}`);
    }
  }
}
