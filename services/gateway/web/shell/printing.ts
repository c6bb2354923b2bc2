import { type ReadonlySignal, signal } from '@preact/signals';
import { options } from 'preact';

const printing = signal(false);

/** Whether the page is laid out for paper: then lists draw all that they hold, and not what is in view. */
export const isPrinting: ReadonlySignal<boolean> = printing;

/** Follows whether a window prints. The page is drawn anew before paper is laid out. The returned function ends that. */
export function followPrinting(window: Window): () => void {
  const query = window.matchMedia('print');
  const set = (is: boolean) =>
    drawnAtOnce(() => {
      printing.value = is;
    });
  const begin = () => set(true);
  const end = () => set(false);
  const change = () => set(query.matches);
  window.addEventListener('beforeprint', begin);
  window.addEventListener('afterprint', end);
  query.addEventListener('change', change);
  change();
  return () => {
    window.removeEventListener('beforeprint', begin);
    window.removeEventListener('afterprint', end);
    query.removeEventListener('change', change);
  };
}

/** Paper is laid out as soon as the listeners are through, so what they change is drawn right away. */
function drawnAtOnce(change: () => void): void {
  const held = options.debounceRendering;
  options.debounceRendering = (draw) => draw();
  try {
    change();
  } finally {
    if (held === undefined) delete options.debounceRendering;
    else options.debounceRendering = held;
  }
}
