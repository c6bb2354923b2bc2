import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { formatRunKey } from '@runlog/schema/run/run-key';
import type { RunRow } from '@runlog/schema/run/snapshot';
import type { FleetRows } from './held-order.ts';

/** The position of a row, and its run if it was known. */
export interface CursorPlace {
  readonly position: number;
  readonly key: string | null;
}

/** The row that the keys act on. It stays with its run where that is drawn, else with its place. */
export interface FleetCursor {
  readonly at: ReadonlySignal<{ readonly position: number; readonly row: RunRow | null } | null>;
  moveTo(position: number): void;
  /** Where it was put; what is drawn since decides where it is. */
  readonly held: Signal<CursorPlace | null>;
}

export function createFleetCursor(rows: ReadonlySignal<FleetRows | null>): FleetCursor {
  const held = signal<CursorPlace | null>(null);
  return {
    held,
    at: computed(() => {
      const drawn = rows.value;
      if (held.value === null || drawn === null || drawn.total === 0) return null;
      const { key } = held.value;
      const position = (key === null ? null : drawn.positionOf(key)) ?? held.value.position;
      const within = Math.min(position, drawn.total - 1);
      return { position: within, row: drawn.rowAt(within) };
    }),
    moveTo(position) {
      const drawn = rows.peek();
      if (drawn === null || drawn.total === 0) return;
      const within = Math.max(0, Math.min(position, drawn.total - 1));
      const row = drawn.rowAt(within);
      held.value = { position: within, key: row === null ? null : formatRunKey(row) };
    },
  };
}
