import type { ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { CursorPlace } from './fleet-cursor.ts';
import type { FleetScreen } from './fleet-screen.ts';
import type { FleetBox } from './use-fleet-box.ts';

interface FleetPlace {
  /** The runs that were asked for, and their order. */
  readonly view: string;
  readonly top: number;
  readonly row: CursorPlace | null;
}

/** Where the table was left. The way back leads to that one, so no other is kept. */
let left: FleetPlace | null = null;

/** Shows each view from its top, but the one that was left last as it was: whoever comes back finds the row again. */
export function useFleetPlace(
  scroller: RefObject<HTMLElement | null>,
  { screen: { store, cursor }, box }: { screen: FleetScreen; box: ReadonlySignal<FleetBox> },
): void {
  const view = store.view.value;
  const hasRows = store.rows.value !== null;
  const shown = useRef<string | null>(null);
  useLayoutEffect(() => {
    // Without rows there is nothing to be scrolled.
    if (!hasRows) return;
    const place = shown.current === null && left?.view === view ? left : null;
    shown.current = view;
    scroller.current?.scrollTo({ top: place?.top ?? 0 });
    if (place !== null) cursor.held.value = place.row;
  }, [view, hasRows]);
  useLayoutEffect(
    () => () => {
      const { top } = box.peek();
      if (shown.current !== null) left = { view: shown.current, top, row: cursor.held.peek() };
    },
    [],
  );
}
