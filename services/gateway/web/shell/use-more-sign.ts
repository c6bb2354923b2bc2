import { useLayoutEffect } from 'preact/hooks';

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
    if (element === null) return;
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [box]);
}
