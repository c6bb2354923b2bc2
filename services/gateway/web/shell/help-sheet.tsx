import { signal } from '@preact/signals';
import { later } from './later.tsx';
import { useShortcut } from './shortcuts.ts';
import { useModal } from './use-modal.ts';

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
  useShortcut('help', show);
  const isShown = isHelpShown.value;
  const modal = useModal({ isShown, onClosed: hide });
  return (
    <dialog
      class="help-sheet"
      {...modal}
      aria-label="Keys"
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
