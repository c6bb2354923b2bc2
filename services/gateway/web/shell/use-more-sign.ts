import { useLayoutEffect } from 'preact/hooks';
import { watchBox } from './watch-box.ts';

/** Has what scrolls sideways fade at its end (`data-more`) for as long as there is more behind it. */
export function useMoreSign(box: { readonly current: HTMLElement | null }): void {
  const look = () => {
    const element = box.current;
    if (element === null) return;
    const { scrollLeft, scrollWidth, clientWidth } = element;
    element.toggleAttribute('data-more', scrollWidth - clientWidth - scrollLeft > 1);
  };
  // What is in it may be another with each drawing.
  useLayoutEffect(look);
  useLayoutEffect(() => {
    const element = box.current;
    return element === null ? undefined : watchBox(element, { resized: look, scrolled: look });
  }, [box]);
}
