import { useLayoutEffect } from 'preact/hooks';
import { route } from './route.ts';

/** Where keys mean something: in every view, or in one. */
export type ShortcutScope = 'everywhere' | 'fleet' | 'run' | 'compare';

interface Shortcut {
  readonly scope: ShortcutScope;
  /** `KeyboardEvent.key` of each key that does it. */
  readonly keys: readonly string[];
}

/** All keys of the page. The help sheet says what each does (`shortcut-words`). */
export const shortcuts = {
  help: { scope: 'everywhere', keys: ['?'] },
  find: { scope: 'everywhere', keys: ['/'] },

  'fleet.next': { scope: 'fleet', keys: ['j', 'ArrowDown'] },
  'fleet.previous': { scope: 'fleet', keys: ['k', 'ArrowUp'] },
  'fleet.first': { scope: 'fleet', keys: ['g', 'Home'] },
  'fleet.last': { scope: 'fleet', keys: ['G', 'End'] },
  'fleet.open': { scope: 'fleet', keys: ['Enter', 'o'] },
  'fleet.mark': { scope: 'fleet', keys: ['x'] },
  'fleet.compare': { scope: 'fleet', keys: ['c'] },
  'fleet.sort': { scope: 'fleet', keys: ['s'] },
  'fleet.reverse': { scope: 'fleet', keys: ['S'] },
  'fleet.release': { scope: 'fleet', keys: ['u'] },
  'fleet.group': { scope: 'fleet', keys: ['b'] },

  'run.charts': { scope: 'run', keys: ['1'] },
  'run.event': { scope: 'run', keys: ['2'] },
  'run.ab': { scope: 'run', keys: ['3'] },
  'run.raw': { scope: 'run', keys: ['4'] },
  'run.proof': { scope: 'run', keys: ['5'] },
  'run.follow': { scope: 'run', keys: [' '] },
  'run.filter': { scope: 'run', keys: ['f'] },
  'run.rows.raw': { scope: 'run', keys: ['r'] },
  'run.around': { scope: 'run', keys: ['o'] },
  'run.next': { scope: 'run', keys: ['j', 'ArrowDown'] },
  'run.previous': { scope: 'run', keys: ['k', 'ArrowUp'] },
  'run.expand': { scope: 'run', keys: ['Enter'] },
  'run.first': { scope: 'run', keys: ['g', 'Home'] },
  'run.last': { scope: 'run', keys: ['G', 'End'] },
  'run.time': { scope: 'run', keys: ['t'] },
  'run.speed': { scope: 'run', keys: ['p'] },
  'run.live': { scope: 'run', keys: ['Escape'] },
  'run.copy': { scope: 'run', keys: ['c'] },
  'run.other': { scope: 'run', keys: ['a'] },

  'compare.axis': { scope: 'compare', keys: ['x'] },
  'compare.next': { scope: 'compare', keys: ['j', 'ArrowDown'] },
  'compare.previous': { scope: 'compare', keys: ['k', 'ArrowUp'] },
  'compare.open': { scope: 'compare', keys: ['Enter', 'o'] },
  'compare.remove': { scope: 'compare', keys: ['d', 'Delete'] },
  'compare.add': { scope: 'compare', keys: ['a'] },
  'compare.sort': { scope: 'compare', keys: ['s'] },
  'compare.figures': { scope: 'compare', keys: ['f'] },
  'compare.settings': { scope: 'compare', keys: ['e'] },
  'compare.leave': { scope: 'compare', keys: ['Escape'] },
} as const satisfies Record<string, Shortcut>;

export type ShortcutName = keyof typeof shortcuts;

/** Handlers by name. Of two for one name the newer one is called. */
const handlers = new Map<ShortcutName, (() => void)[]>();

/** Has a shortcut do something until the returned function is called. */
export function onShortcut(name: ShortcutName, does: () => void): () => void {
  const held = handlers.get(name) ?? [];
  handlers.set(name, [...held, does]);
  return () => {
    const left = (handlers.get(name) ?? []).filter((each) => each !== does);
    if (left.length === 0) handlers.delete(name);
    else handlers.set(name, left);
  };
}

/** The same for as long as a component is in the page. What can be seen takes keys: an effect would come a frame later. */
export function useShortcut(name: ShortcutName, does: () => void): void {
  useLayoutEffect(() => onShortcut(name, does), [name, does]);
}

/** What of a pressed key is needed to know what it means. */
export interface PressedKey {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly defaultPrevented: boolean;
  readonly isComposing: boolean;
  readonly target: EventTarget | null;
}

/** Returns the shortcut that a key means in a view, or null: never while somebody types, nor where the key means another thing. */
export function shortcutOf(
  event: PressedKey,
  at: { readonly view: ShortcutScope | 'unknown'; readonly isDialogOpen: boolean },
): ShortcutName | null {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey)
    return null;
  if (at.isDialogOpen || takesText(event.target)) return null;
  if ((event.key === ' ' || event.key === 'Enter') && isPressable(event.target)) return null;
  const names = Object.keys(shortcuts) as ShortcutName[];
  const matches = (name: ShortcutName, scope: ShortcutScope) =>
    shortcuts[name].scope === scope && (shortcuts[name].keys as readonly string[]).includes(event.key);
  return (
    names.find((name) => at.view !== 'unknown' && matches(name, at.view)) ??
    names.find((name) => matches(name, 'everywhere')) ??
    null
  );
}

/** Calls the handlers of pressed keys. The returned function ends that. */
export function listenForShortcuts(window: Window): () => void {
  const listener = (event: KeyboardEvent) => {
    const isDialogOpen = window.document.querySelector('dialog[open]') !== null;
    const name = shortcutOf(event, { view: route.peek().view, isDialogOpen });
    const does = name === null ? undefined : handlers.get(name)?.at(-1);
    if (does === undefined) return;
    event.preventDefault();
    does();
  };
  window.addEventListener('keydown', listener);
  return () => window.removeEventListener('keydown', listener);
}

type Described = Partial<Pick<HTMLElement, 'tagName' | 'isContentEditable' | 'closest'>> & {
  type?: string;
};

const pressedInputs = new Set([
  'button',
  'checkbox',
  'color',
  'file',
  'image',
  'radio',
  'range',
  'reset',
  'submit',
]);

function takesText(target: EventTarget | null): boolean {
  const element = (target ?? {}) as Described;
  const { tagName, isContentEditable, type } = element;
  // A dialog that was closed keeps the focus until the next frame.
  if (element.closest?.('dialog:not([open])') != null) return false;
  if (isContentEditable === true || tagName === 'TEXTAREA' || tagName === 'SELECT') return true;
  return tagName === 'INPUT' && !pressedInputs.has(type ?? 'text');
}

/** Blank and Enter press what has the focus. */
function isPressable(target: EventTarget | null): boolean {
  const { tagName } = (target ?? {}) as Described;
  return tagName === 'BUTTON' || tagName === 'A' || tagName === 'SUMMARY' || tagName === 'INPUT';
}
