import { type Signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import type { ScrollBox } from './rows-in-view.ts';

/** Until the style sheet is there. */
const ROW_HEIGHT = 20;

/**
 * Follows where a list is scrolled to. It is measured when the list or the size of its text changes, not when rows do: to
 * read it then would have the browser lay out the page once more.
 */
export function useScrollBox(list: RefObject<HTMLElement | null>): {
  box: Signal<ScrollBox>;
  /** Scrolls, if there is so much to scroll with so many rows. */
  scrollTo(top: number, rows: number): void;
} {
  const box = useSignal<ScrollBox>({ top: 0, height: 0, rowHeight: ROW_HEIGHT });
  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = () => {
      const rowHeight = Number.parseFloat(getComputedStyle(element).lineHeight) || ROW_HEIGHT;
      const height = element.clientHeight;
      const held = box.peek();
      if (held.height !== height || held.rowHeight !== rowHeight) box.value = { ...held, height, rowHeight };
    };
    const scrolled = () => {
      const top = element.scrollTop;
      if (top !== box.peek().top) box.value = { ...box.peek(), top };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', scrolled, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', scrolled);
    };
  }, [list, box]);
  return useMemo(
    () => ({
      box,
      scrollTo(top, rows) {
        const held = box.peek();
        const max = Math.max(0, rows * held.rowHeight - held.height);
        const to = Math.min(top, max);
        if (list.current !== null) list.current.scrollTop = to;
        box.value = { ...held, top: to };
      },
    }),
    [box, list],
  );
}
