import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** What a `<dialog>` element is given. */
type ModalProps = {
  readonly ref: RefObject<HTMLDialogElement | null>;
  onCancel(event: Event): void;
  onClose(): void;
};

/** Shows a dialog above the page while `isShown`. `onClosed` is called when somebody leaves it with Escape or the back gesture. */
export function useModal({ isShown, onClosed }: { isShown: boolean; onClosed(): void }): ModalProps {
  const ref = useRef<HTMLDialogElement>(null);
  // Not a frame later: a key that is pressed in between would find a dialog that is open although it was left.
  useLayoutEffect(() => {
    if (isShown) ref.current?.showModal();
    else ref.current?.close();
  }, [isShown]);
  return {
    ref,
    onCancel: (event) => {
      event.preventDefault();
      onClosed();
    },
    onClose: () => {
      // The event comes some time after `close()`, and the dialog may be wanted again by then.
      if (isShown && ref.current?.open !== true) onClosed();
    },
  };
}
