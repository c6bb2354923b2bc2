import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { keyText, type ShortcutScope, shortcutScopes, shortcuts, useShortcut } from './shortcuts.ts';

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
      {isShown && (
        <div class="help-sheet-columns">
          {shortcutScopes.map(({ scope, title }) => (
            <section key={scope}>
              <h2>{title}</h2>
              <dl>
                {rowsOf(scope).map(({ keys, does }) => (
                  <div key={does}>
                    <dt>
                      {keys.map((key) => (
                        <kbd key={key}>{keyText(key)}</kbd>
                      ))}
                    </dt>
                    <dd>{does}</dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
      )}
    </dialog>
  );
}

function rowsOf(scope: ShortcutScope) {
  return Object.values(shortcuts).filter((row) => row.scope === scope);
}
