import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { later } from './later.tsx';
import { useShortcut } from './shortcuts.ts';

/** The words are loaded when somebody asks for them. */
const HelpKeys = later(async () => (await import('./help-keys.tsx')).HelpKeys);

export const isHelpShown = signal(false);

const show = () => {
  isHelpShown.value = true;
};
const hide = () => {
  isHelpShown.value = false;
};

/** The sheet of keys. */
export function HelpSheet() {
  const dialog = useRef<HTMLDialogElement>(null);
  useShortcut('help', show);
  const isShown = isHelpShown.value;
  useEffect(() => {
    if (isShown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isShown]);
  return (
    <dialog
      class="help-sheet"
      ref={dialog}
      aria-label="Keys"
      onClose={hide}
      onClick={(event) => {
        // A click on the backdrop is one on the dialog itself.
        if (event.target === event.currentTarget) hide();
      }}
      onKeyDown={(event) => {
        if (event.key === '?' || event.key === 'q') hide();
      }}
    >
      <button type="button" class="help-sheet-close" onClick={hide}>
        close <kbd>esc</kbd>
      </button>
      {isShown && <HelpKeys />}
    </dialog>
  );
}
