import { type ReadonlySignal, signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { LogStore } from './log-store.ts';
import { rowIdOf } from './row-view.tsx';

/** The rows in which selected text begins and ends, by their ids, in the order of the selection. */
export interface SelectedText {
  readonly from: string;
  readonly to: string;
}

export interface Hold {
  /** Null while no text of the rows is selected. */
  readonly text: ReadonlySignal<SelectedText | null>;
  /** Whoever pressed a row reads it, so the log is not followed again afterwards. */
  keep(): void;
}

/**
 * Keeps rows where they are while a pointer is down on them or text of them is selected: a row that moves away under the
 * pointer cannot be pressed, and a selection would move with it. What was followed before is followed again afterwards.
 */
export function useHold(list: RefObject<HTMLElement | null>, log: LogStore): Hold {
  const hold = useMemo(() => new HeldRows(list, log), [list, log]);
  useEffect(() => hold.listen(), [hold]);
  return hold;
}

class HeldRows implements Hold {
  readonly #list: RefObject<HTMLElement | null>;
  readonly #log: LogStore;
  readonly #text = signal<SelectedText | null>(null);
  #isDown = false;
  #hasFollowed = false;

  constructor(list: RefObject<HTMLElement | null>, log: LogStore) {
    this.#list = list;
    this.#log = log;
  }

  get text(): ReadonlySignal<SelectedText | null> {
    return this.#text;
  }

  keep(): void {
    this.#hasFollowed = false;
  }

  listen(): () => void {
    const down = (event: PointerEvent) => {
      // A finger scrolls, which leaves the end by itself.
      if (event.pointerType === 'touch' || event.button !== 0 || rowIdOf(event.target) === null) return;
      this.#isDown = true;
      this.#begin();
    };
    const up = () => {
      if (!this.#isDown) return;
      this.#isDown = false;
      // The click and the change of the selection come behind this event.
      setTimeout(() => this.#end());
    };
    const selected = () => {
      const text = this.#selectedText();
      const held = this.#text.peek();
      if (text?.from === held?.from && text?.to === held?.to) return;
      this.#text.value = text;
      if (text === null) this.#end();
      else this.#begin();
    };
    const list = this.#list.current;
    list?.addEventListener('pointerdown', down);
    document.addEventListener('pointerup', up);
    document.addEventListener('pointercancel', up);
    document.addEventListener('selectionchange', selected);
    return () => {
      list?.removeEventListener('pointerdown', down);
      document.removeEventListener('pointerup', up);
      document.removeEventListener('pointercancel', up);
      document.removeEventListener('selectionchange', selected);
    };
  }

  #begin(): void {
    if (!this.#log.state.peek().isFollowing) return;
    this.#hasFollowed = true;
    this.#log.leaveEnd();
  }

  #end(): void {
    if (!this.#hasFollowed || this.#isDown || this.#text.peek() !== null) return;
    this.#hasFollowed = false;
    this.#log.follow();
  }

  #selectedText(): SelectedText | null {
    const selection = document.getSelection();
    if (selection === null || selection.isCollapsed) return null;
    const from = this.#rowOf(selection.anchorNode);
    const to = this.#rowOf(selection.focusNode);
    if (from === null && to === null) return null;
    return { from: from ?? to!, to: to ?? from! };
  }

  #rowOf(node: Node | null): string | null {
    return this.#list.current?.contains(node) ? rowIdOf(node) : null;
  }
}
