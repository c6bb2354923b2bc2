import { type ReadonlySignal, signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import { watchBox } from '../shell/watch-box.ts';
import type { ScrollBox } from './rows-in-view.ts';

/** Until the style sheet is there. */
const ROW_HEIGHT = 20;
/** Zoomed pages scroll in fractions. */
const ROUNDING = 1;

export interface Scrolled {
  readonly box: ReadonlySignal<ScrollBox>;
  /** Where it is scrolled to, also where that was set without a new drawing. */
  readonly at: () => ScrollBox;
  /** Scrolls, if there is so much to scroll with so many rows. */
  scrollTo(top: number, rows: number): void;
  /** The same for what was drawn for this place already. */
  settle(top: number, rows: number): void;
}

/**
 * Follows where a list is scrolled to. It is measured when the list or the size of its text changes, not when rows do: to
 * read it then would have the browser lay out the page once more. `onUp`: somebody scrolls towards the beginning.
 */
export function useScrollBox(list: RefObject<HTMLElement | null>, onUp: () => void = nothing): Scrolled {
  const scrolled = useMemo(() => new ScrolledList(list), [list]);
  useLayoutEffect(() => scrolled.listen(onUp), [scrolled, onUp]);
  return scrolled;
}

const nothing = () => undefined;

class ScrolledList implements Scrolled {
  readonly #list: RefObject<HTMLElement | null>;
  readonly #box = signal<ScrollBox>({ top: 0, height: 0, rowHeight: ROW_HEIGHT });
  #top = 0;

  constructor(list: RefObject<HTMLElement | null>) {
    this.#list = list;
  }

  get box(): ReadonlySignal<ScrollBox> {
    return this.#box;
  }

  readonly at = (): ScrollBox => ({ ...this.#box.peek(), top: this.#top });

  readonly settle = (top: number, rows: number): void => {
    const { height, rowHeight } = this.#box.peek();
    this.#top = Math.max(0, Math.min(top, rows * rowHeight - height));
    const list = this.#list.current;
    if (list === null) return;
    list.scrollTop = this.#top;
    // There may be less to scroll, while a new size is not measured yet.
    this.#top = list.scrollTop;
  };

  readonly scrollTo = (top: number, rows: number): void => {
    this.settle(top, rows);
    if (this.#top !== this.#box.peek().top) this.#box.value = this.at();
  };

  listen(onUp: () => void): () => void {
    const element = this.#list.current;
    if (element === null) return () => undefined;
    const measure = () => {
      const rowHeight = Number.parseFloat(getComputedStyle(element).lineHeight) || ROW_HEIGHT;
      const height = element.clientHeight;
      const held = this.#box.peek();
      if (held.height !== height || held.rowHeight !== rowHeight)
        this.#box.value = { top: this.#top, height, rowHeight };
    };
    const scrolled = () => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      if (Math.abs(scrollTop - this.#top) < ROUNDING) return;
      // A list that grew is scrolled by the browser, and is at its end as before.
      if (scrollTop < this.#top && scrollTop + clientHeight < scrollHeight - ROUNDING) onUp();
      this.#top = scrollTop;
      this.#box.value = this.at();
    };
    measure();
    return watchBox(element, { resized: measure, scrolled });
  }
}
