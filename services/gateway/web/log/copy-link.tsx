import { useSignal } from '@preact/signals';
import { useCallback, useEffect } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { copyToClipboard } from '../shell/copy-text.ts';
import { linkToEvent } from '../shell/route.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { countText } from '../text/numbers.ts';

const SAID_MS = 3_000;

/** Copies a link to what is shown and selected, on its key, and says for three seconds that it did. */
export function CopyLink({ screen }: { screen: RunScreen }) {
  const said = useSignal('');
  const copy = useCallback(async () => {
    const seq = screen.selected.peek();
    const what = seq === null ? 'link' : `link to event ${countText(seq)}`;
    said.value = (await copyToClipboard(linkToEvent(seq)))
      ? `${what} copied`
      : 'The browser refused to copy.';
  }, [screen, said]);
  useShortcut('run.copy', copy);
  useEffect(() => {
    if (said.value === '') return;
    const timer = setTimeout(() => {
      said.value = '';
    }, SAID_MS);
    return () => clearTimeout(timer);
  }, [said.value, said]);
  return (
    <p class={said.value === '' ? 'visually-hidden' : 'log-said'} role="status">
      {said.value}
    </p>
  );
}
