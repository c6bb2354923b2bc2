import { useLayoutEffect } from 'preact/hooks';
import { route } from './route.ts';

/** Where keys mean something: in every view, or in one. */
export type ShortcutScope = 'everywhere' | 'fleet' | 'run' | 'compare';

interface Shortcut {
  readonly scope: ShortcutScope;
  /** `KeyboardEvent.key` of each key that does it. */
  readonly keys: readonly string[];
  /** What it does, for the help sheet. */
  readonly does: string;
}

/** All keys of the page: the handler and the help sheet are made from this table. */
export const shortcuts = {
  help: { scope: 'everywhere', keys: ['?'], does: 'show the keys' },
  find: { scope: 'everywhere', keys: ['/'], does: 'filter the runs; in a run: go to run, event or time' },

  'fleet.next': { scope: 'fleet', keys: ['j', 'ArrowDown'], does: 'next run' },
  'fleet.previous': { scope: 'fleet', keys: ['k', 'ArrowUp'], does: 'previous run' },
  'fleet.first': { scope: 'fleet', keys: ['g', 'Home'], does: 'first run' },
  'fleet.last': { scope: 'fleet', keys: ['G', 'End'], does: 'last run' },
  'fleet.open': { scope: 'fleet', keys: ['Enter', 'o'], does: 'open the run' },
  'fleet.mark': { scope: 'fleet', keys: ['x'], does: 'mark the run for a comparison' },
  'fleet.compare': { scope: 'fleet', keys: ['c'], does: 'compare the marked runs' },
  'fleet.sort': { scope: 'fleet', keys: ['s'], does: 'sort by the next column' },
  'fleet.reverse': { scope: 'fleet', keys: ['S'], does: 'turn the order round' },
  'fleet.release': { scope: 'fleet', keys: ['u'], does: 'let rows that wait go to their places' },
  'fleet.group': { scope: 'fleet', keys: ['b'], does: 'group by cluster, task or state' },

  'run.charts': { scope: 'run', keys: ['1'], does: 'charts and seed lives' },
  'run.event': { scope: 'run', keys: ['2'], does: 'the selected event' },
  'run.ab': { scope: 'run', keys: ['3'], does: 'A beside B' },
  'run.raw': { scope: 'run', keys: ['4'], does: 'raw state of the run' },
  'run.proof': { scope: 'run', keys: ['5'], does: 'proof that nothing is missing' },
  'run.follow': { scope: 'run', keys: [' '], does: 'pause the log, or follow it again' },
  'run.filter': { scope: 'run', keys: ['f'], does: 'filter the log' },
  'run.rows.raw': { scope: 'run', keys: ['r'], does: 'every event raw, newest first' },
  'run.around': { scope: 'run', keys: ['o'], does: 'around the row, without the filter, and back' },
  'run.next': { scope: 'run', keys: ['j', 'ArrowDown'], does: 'next row of the log' },
  'run.previous': { scope: 'run', keys: ['k', 'ArrowUp'], does: 'previous row of the log' },
  'run.expand': { scope: 'run', keys: ['Enter'], does: 'open the row: its events, or the event' },
  'run.first': { scope: 'run', keys: ['g', 'Home'], does: 'to the beginning of the run' },
  'run.last': { scope: 'run', keys: ['G', 'End'], does: 'to the end of the log' },
  'run.time': { scope: 'run', keys: ['t'], does: 'travel to the time of the selected row' },
  'run.speed': { scope: 'run', keys: ['p'], does: 'while travelling: play at 1x, 10x, stop' },
  'run.live': { scope: 'run', keys: ['Escape'], does: 'back to live' },
  'run.copy': { scope: 'run', keys: ['c'], does: 'copy a link to the selected event' },
  'run.other': { scope: 'run', keys: ['a'], does: 'from A to B, and back' },

  'compare.axis': { scope: 'compare', keys: ['x'], does: 'over rounds, steps or time' },
  'compare.next': { scope: 'compare', keys: ['j', 'ArrowDown'], does: 'next run' },
  'compare.previous': { scope: 'compare', keys: ['k', 'ArrowUp'], does: 'previous run' },
  'compare.open': { scope: 'compare', keys: ['Enter', 'o'], does: 'open the run' },
  'compare.remove': { scope: 'compare', keys: ['d', 'Delete'], does: 'remove the run' },
  'compare.add': { scope: 'compare', keys: ['a'], does: 'add a run' },
  'compare.sort': { scope: 'compare', keys: ['s'], does: 'sort by the next column' },
  'compare.figures': { scope: 'compare', keys: ['f'], does: 'choose the figures' },
  'compare.settings': { scope: 'compare', keys: ['e'], does: 'all settings, or those that differ' },
  'compare.leave': { scope: 'compare', keys: ['Escape'], does: 'look at all runs alike' },
} as const satisfies Record<string, Shortcut>;

export type ShortcutName = keyof typeof shortcuts;

/** The scopes in the order of the help sheet. */
export const shortcutScopes: readonly { readonly scope: ShortcutScope; readonly title: string }[] = [
  { scope: 'everywhere', title: 'everywhere' },
  { scope: 'fleet', title: 'runs' },
  { scope: 'run', title: 'one run' },
  { scope: 'compare', title: 'comparison' },
];

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

const keyNames: Readonly<Record<string, string>> = {
  ' ': 'space',
  ArrowDown: '↓',
  ArrowUp: '↑',
  Enter: 'enter',
  Escape: 'esc',
  Home: 'home',
  End: 'end',
};

/** A key as it is written on the page: `space`, `↓`, `g`. */
export function keyText(key: string): string {
  return keyNames[key] ?? key;
}
