import type { Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { later } from '../shell/later.tsx';
import { setOptions } from '../shell/route.ts';
import { useModal } from '../shell/use-modal.ts';
import type { GapRow } from './gap-rows.ts';

// Its words are loaded when they are first read.
const GapExplanation = later(async () => (await import('./gap-explanation.tsx')).GapExplanation);

/** Explains a gap. `rowId` is that of its row; null while none is explained. */
export function GapDetails({ screen, rowId }: { screen: RunScreen; rowId: Signal<string | null> }) {
  /** The row is kept: it may leave the rows that are loaded while somebody reads about it. */
  const last = useRef<GapRow | null>(null);
  const id = rowId.value;
  if (id !== null) {
    const row = screen.log.rows.value.find((each) => each.id === id);
    if (row?.kind === 'gap') last.current = row;
  }
  const row = id !== null && last.current?.id === id ? last.current : null;
  const isShown = row !== null;
  const close = () => {
    rowId.value = null;
  };
  const modal = useModal({ isShown, onClosed: close });
  return (
    <dialog
      class="gap-details"
      {...modal}
      aria-label="Missing events"
      onClick={(event) => {
        // A click on the backdrop is one on the dialog itself.
        if (event.target === event.currentTarget) close();
      }}
      onKeyDown={(event) => {
        if (event.key === 'q') close();
      }}
    >
      {row !== null && (
        <GapExplanation
          row={row}
          onProof={() => {
            close();
            setOptions('run', { pane: 'proof' });
          }}
          onClose={close}
        />
      )}
    </dialog>
  );
}
