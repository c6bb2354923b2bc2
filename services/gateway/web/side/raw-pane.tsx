import { useSignal } from '@preact/signals';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { storedKey, tabStore } from '../shell/view-key.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { CopyButton } from './copy-button.tsx';
import { curlLine } from './curl-line.ts';
import { JsonTree } from './json-tree.tsx';
import { PaneNote } from './pane-note.tsx';
import { useThrottled } from './throttled.ts';

const REDRAW_MS_MIN = 1_000;

/** The state of the run as it came, live, and held while somebody selects something in it. */
export function RawPane({ screen }: { screen: RunScreen }) {
  const box = useRef<HTMLDivElement>(null);
  const isHeld = useSelectionIn(box);
  const isTree = useSignal(true);
  const open = useSignal<ReadonlySet<string>>(new Set(['']));
  const snapshot = useHeld(useThrottled(screen.shown.value, REDRAW_MS_MIN), isHeld);
  if (snapshot === null) return <PaneNote sentence="Reading the state of the run …" />;
  const seq = snapshot.position?.seq ?? null;
  return (
    <div class="raw-pane">
      <div class="raw-bar">
        <button
          type="button"
          class="small-button"
          aria-pressed={isTree.value}
          onClick={() => {
            isTree.value = true;
          }}
        >
          tree
        </button>
        <button
          type="button"
          class="small-button"
          aria-pressed={!isTree.value}
          onClick={() => {
            isTree.value = false;
          }}
        >
          text
        </button>
        <CopyButton what="copy" text={() => textOf(snapshot)} />
        <button type="button" class="small-button" onClick={() => download(screen.run.key, snapshot)}>
          download
        </button>
        <span class="raw-as-of">
          seq {seq === null ? '–' : countText(seq)}
          {isHeld && ' · held while text is selected'}
        </span>
      </div>
      <Curl runKey={screen.run.key} at={screen.at.value} />
      <div class="raw-body" ref={box}>
        {isTree.value ? (
          <JsonTree name={screen.run.key} value={snapshot} path="" open={open} />
        ) : (
          <Text snapshot={snapshot} />
        )}
      </div>
    </div>
  );
}

function Text({ snapshot }: { snapshot: DeliveredSnapshot }) {
  const text = useMemo(() => textOf(snapshot).split('\n').map(visibleText).join('\n'), [snapshot]);
  return (
    <pre>
      <bdi>{text}</bdi>
    </pre>
  );
}

function Curl({ runKey, at }: { runKey: string; at: number | null }) {
  const url = new URL('.', document.baseURI).href;
  const needsKey = storedKey(tabStore()) !== undefined;
  const line = curlLine({ url, key: runKey, at, needsKey });
  return (
    <p class="raw-curl">
      <code>{line}</code> <CopyButton what="copy" text={() => line} />
    </p>
  );
}

/** Whether some text of an element is selected. */
function useSelectionIn(box: { readonly current: HTMLElement | null }): boolean {
  const isSelected = useSignal(false);
  useEffect(() => {
    const look = () => {
      const selection = document.getSelection();
      isSelected.value =
        selection !== null &&
        !selection.isCollapsed &&
        box.current !== null &&
        selection.rangeCount > 0 &&
        selection.getRangeAt(0).intersectsNode(box.current);
    };
    document.addEventListener('selectionchange', look);
    return () => document.removeEventListener('selectionchange', look);
  }, [box, isSelected]);
  return isSelected.value;
}

/** The value, or what it was when it began to be held. */
function useHeld<Value>(value: Value, isHeld: boolean): Value {
  const held = useRef(value);
  if (!isHeld || held.current === null) held.current = value;
  return held.current;
}

function textOf(snapshot: DeliveredSnapshot): string {
  return JSON.stringify(snapshot, null, 2);
}

function download(key: string, snapshot: DeliveredSnapshot): void {
  const url = URL.createObjectURL(new Blob([`${textOf(snapshot)}\n`], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${key.replaceAll('/', '-')}-${snapshot.position?.seq ?? 0}.json`;
  link.click();
  // The browser has begun to read it by the next task.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
