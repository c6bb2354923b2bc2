import { useState } from 'preact/hooks';

/** A row of buttons with one tab stop: the arrow keys go from one to the next. */
export interface Roving {
  tabIndexOf(at: number): 0 | -1;
  /** For the element around the buttons, and nothing else that can be pressed. */
  onKeyDown(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void;
}

/** `count` is the number of buttons. The one that had the focus last is the tab stop. */
export function useRoving(count: number): Roving {
  const [last, setLast] = useState(0);
  const stop = Math.max(0, Math.min(last, count - 1));
  return {
    tabIndexOf: (at) => (at === stop ? 0 : -1),
    onKeyDown(event) {
      const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (by === 0) return;
      const buttons = [...event.currentTarget.querySelectorAll('button')];
      const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
      const next = Math.max(0, Math.min(buttons.length - 1, now + by));
      event.preventDefault();
      setLast(next);
      buttons[next]?.focus();
    },
  };
}
