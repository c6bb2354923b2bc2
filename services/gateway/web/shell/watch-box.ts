/** Calls back when an element's size changes, once at the beginning too, and when it is scrolled. The returned function ends that. */
export function watchBox(
  element: HTMLElement,
  { resized, scrolled }: { resized: () => void; scrolled: () => void },
): () => void {
  const sizes = new ResizeObserver(resized);
  sizes.observe(element);
  element.addEventListener('scroll', scrolled, { passive: true });
  return () => {
    sizes.disconnect();
    element.removeEventListener('scroll', scrolled);
  };
}
