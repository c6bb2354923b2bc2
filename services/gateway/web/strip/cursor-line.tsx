import { useSignalEffect } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { SharedCursor } from '../side/shared-cursor.ts';
import { fractionOfSeq, type RunAxis } from './run-axis.ts';

/** The line of the shared cursor over a drawing. It moves without drawing anything again. */
export function CursorLine({ axis, cursor }: { axis: RunAxis; cursor: SharedCursor }) {
  const line = useRef<HTMLDivElement>(null);
  const place = (seq: number | null) => {
    if (line.current === null) return;
    line.current.hidden = seq === null;
    if (seq !== null) line.current.style.transform = `translateX(${fractionOfSeq(axis, seq) * 100}%)`;
  };
  const placed = useRef(place);
  placed.current = place;
  useSignalEffect(() => placed.current(cursor.seq.value));
  useLayoutEffect(() => place(cursor.seq.peek()), [axis]);
  return <div class="cursor-line" ref={line} hidden aria-hidden="true" />;
}
