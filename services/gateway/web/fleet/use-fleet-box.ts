import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { watchBox } from '../shell/watch-box.ts';
import type { FleetHeights } from './fleet-layout.ts';

/** Where the table is scrolled to, and how high what it draws is, in pixels. */
export interface FleetBox {
  readonly top: number;
  /** Without the heads of the columns, which stay. */
  readonly height: number;
  readonly heights: FleetHeights;
}

/** Until the style sheet is there. */
const HEIGHTS: FleetHeights = { row: 28, head: 24 };

/** Follows where the table is scrolled to. Sizes are measured when the window changes, not when rows do. */
export function useFleetBox(scroller: RefObject<HTMLElement | null>): Signal<FleetBox> {
  const box = useSignal<FleetBox>({ top: 0, height: 0, heights: HEIGHTS });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const measure = () => {
      const style = getComputedStyle(element);
      const pixels = (name: string, else_: number) =>
        Number.parseFloat(style.getPropertyValue(name)) || else_;
      const row = pixels('--fleet-row-height', HEIGHTS.row);
      const head = pixels('--fleet-head-height', HEIGHTS.head);
      const heads = element.querySelector<HTMLElement>('thead')?.offsetHeight ?? 0;
      const height = Math.max(0, element.clientHeight - heads);
      const held = box.peek();
      if (held.height === height && held.heights.row === row && held.heights.head === head) return;
      box.value = { ...held, height, heights: { row, head } };
    };
    const scrolled = () => {
      if (element.scrollTop !== box.peek().top) box.value = { ...box.peek(), top: element.scrollTop };
    };
    measure();
    return watchBox(element, { resized: measure, scrolled });
  }, [scroller, box]);
  return box;
}
