import { useSignal } from '@preact/signals';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { type Pane, panes } from '../shell/address.ts';
import { route, setOptions } from '../shell/route.ts';
import { onShortcut } from '../shell/shortcuts.ts';
import { tabStore } from '../shell/view-key.ts';
import { SidePane } from '../side/side-pane.tsx';
import { paneShortcut } from '../side/side-tabs.tsx';
import type { RunScreen } from './run-screen.ts';

/** The item of the tab's storage that says that the panes are closed. */
const ITEM = 'runlog-panes-closed';

/** The panes beside the log, which can be closed. A key of a pane opens them. */
export function SideFrame({ screen }: { screen: RunScreen }) {
  const isClosed = useSignal(tabStore()?.getItem(ITEM) === '1');
  const act = useMemo(
    () => ({
      close() {
        isClosed.value = true;
        tabStore()?.setItem(ITEM, '1');
      },
      open() {
        isClosed.value = false;
        tabStore()?.removeItem(ITEM);
      },
    }),
    [isClosed],
  );
  // A pane that has something to say opens by itself: no address names it.
  const speaks = screen.pane.value === 'event' && route.value.view === 'run' && route.value.pane === null;
  if (isClosed.value && !speaks) return <ClosedPanes onOpen={act.open} />;
  return (
    <>
      <SidePane screen={screen} />
      <button
        type="button"
        class="side-close"
        aria-label="Close the panes"
        title="close the panes; 1 to 5 opens them"
        onClick={act.close}
      >
        ›
      </button>
    </>
  );
}

function ClosedPanes({ onOpen }: { onOpen(): void }) {
  useLayoutEffect(() => {
    const open = (pane: Pane) => () => {
      setOptions('run', { pane });
      onOpen();
    };
    const unlisten = panes.map((pane) => onShortcut(paneShortcut(pane), open(pane)));
    return () => {
      for (const end of unlisten) end();
    };
  }, [onOpen]);
  return (
    <button type="button" class="side-open" title="open the panes (1 to 5)" onClick={onOpen}>
      ‹ <span>panes</span>
    </button>
  );
}
