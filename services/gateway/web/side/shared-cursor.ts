import { batch, type ReadonlySignal, signal } from '@preact/signals';

/** The place of a run that the pointer is at, which strip, lanes, charts and log show alike. */
export interface SharedCursor {
  /** An offset of the log, which may lie between two events; null if the pointer is at none. */
  readonly seq: ReadonlySignal<number | null>;
  /** Who put it there. Whoever draws a cursor of its own does not draw this one. */
  readonly source: ReadonlySignal<string | null>;
  point(seq: number, source: string): void;
  /** Takes the place away, if it is still this source's. */
  leave(source: string): void;
}

export function createSharedCursor(): SharedCursor {
  const seq = signal<number | null>(null);
  const source = signal<string | null>(null);
  const set = (toSeq: number | null, by: string | null) =>
    batch(() => {
      seq.value = toSeq;
      source.value = by;
    });
  return {
    seq,
    source,
    point: set,
    leave: (by) => {
      if (source.peek() === by) set(null, null);
    },
  };
}
