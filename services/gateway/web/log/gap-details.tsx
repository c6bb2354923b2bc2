import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { RunScreen } from '../run/run-screen.ts';
import { connection } from '../shell/connection.ts';
import { setOptions } from '../shell/route.ts';
import { visibleText } from '../text/visible-text.ts';
import { explainGap } from './gap-explained.ts';
import type { GapRow } from './gap-rows.ts';

/** Explains a gap. `rowId` is that of its row; null while none is explained. */
export function GapDetails({ screen, rowId }: { screen: RunScreen; rowId: Signal<string | null> }) {
  const dialog = useRef<HTMLDialogElement>(null);
  /** The row is kept: it may leave the rows that are loaded while somebody reads about it. */
  const last = useRef<GapRow | null>(null);
  const id = rowId.value;
  if (id !== null) {
    const row = screen.log.rows.value.find((each) => each.id === id);
    if (row?.kind === 'gap') last.current = row;
  }
  const row = id !== null && last.current?.id === id ? last.current : null;
  const isShown = row !== null;
  useEffect(() => {
    if (isShown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isShown]);
  const close = () => {
    rowId.value = null;
  };
  return (
    <dialog
      class="gap-details"
      ref={dialog}
      aria-label="Missing events"
      onClose={close}
      onClick={(event) => {
        // A click on the backdrop is one on the dialog itself.
        if (event.target === event.currentTarget) close();
      }}
      onKeyDown={(event) => {
        if (event.key === 'q') close();
      }}
    >
      {row !== null && (
        <Explained
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

function Explained({ row, onProof, onClose }: { row: GapRow; onProof(): void; onClose(): void }) {
  const { title, facts, meaning, outlook, advice } = explainGap(row, connection().clock.now.value);
  return (
    <div class="gap-explained">
      <h2 class={row.state === 'recovered' ? '' : 'warn'}>{title}</h2>
      <dl>
        {facts.map(([name, fact]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{visibleText(fact)}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      <p>{meaning}</p>
      <p>{outlook}</p>
      <p>{advice}</p>
      <p class="gap-explained-end">
        <button type="button" onClick={onProof}>
          Proof of what arrived
        </button>
        <button type="button" onClick={onClose}>
          Close <kbd>esc</kbd>
        </button>
      </p>
    </div>
  );
}
