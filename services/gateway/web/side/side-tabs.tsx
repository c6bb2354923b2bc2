import { useRef } from 'preact/hooks';
import { type Pane, panes } from '../shell/address.ts';
import { type ShortcutName, shortcuts } from '../shell/shortcuts.ts';
import { useMoreSign } from '../shell/use-more-sign.ts';

const titles: Readonly<Record<Pane, string>> = {
  charts: 'Charts',
  event: 'Event',
  ab: 'A ⇄ B',
  raw: 'Raw',
  proof: 'Proof',
};

export const paneShortcut = (pane: Pane) => `run.${pane}` as const satisfies ShortcutName;
export const tabId = (pane: Pane) => `tab-${pane}`;
export const panelId = (pane: Pane) => `panel-${pane}`;

/** The tabs of the panes: one stop for Tab, and the arrow keys go from one to the next. */
export function SideTabs({ pane, onPane }: { pane: Pane; onPane(pane: Pane): void }) {
  const list = useRef<HTMLDivElement>(null);
  useMoreSign(list);
  return (
    <div class="side-tabs" role="tablist" aria-label="Panes" ref={list}>
      {panes.map((each) => (
        <button
          key={each}
          type="button"
          role="tab"
          id={tabId(each)}
          aria-selected={each === pane}
          aria-controls={panelId(pane)}
          aria-keyshortcuts={shortcuts[paneShortcut(each)].keys.join(' ')}
          title={`${titles[each]} (${shortcuts[paneShortcut(each)].keys.join(', ')})`}
          tabIndex={each === pane ? 0 : -1}
          onClick={() => onPane(each)}
          onKeyDown={(event) => {
            const next = nextPane(event, each);
            if (next === null) return;
            event.preventDefault();
            onPane(next);
            list.current?.querySelector<HTMLElement>(`#${tabId(next)}`)?.focus();
          }}
        >
          {titles[each]}
        </button>
      ))}
    </div>
  );
}

function nextPane(event: KeyboardEvent, pane: Pane): Pane | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const at = panes.indexOf(pane);
  switch (event.key) {
    case 'ArrowLeft':
      return panes.at(at - 1)!;
    case 'ArrowRight':
      return panes[(at + 1) % panes.length]!;
    case 'Home':
      return panes[0];
    case 'End':
      return panes.at(-1)!;
    default:
      return null;
  }
}
