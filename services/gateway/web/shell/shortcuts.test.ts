import { describe, expect, it } from 'vitest';
import { keyText, shortcutScopes } from './shortcut-words.ts';
import { onShortcut, type PressedKey, type ShortcutName, shortcutOf, shortcuts } from './shortcuts.ts';

const names = Object.keys(shortcuts) as ShortcutName[];

function pressed(key: string, overrides: Partial<PressedKey> = {}): PressedKey {
  return {
    ...{ key, ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false, isComposing: false },
    target: element('BODY'),
    ...overrides,
  };
}
const element = (tagName: string, more: object = {}) => ({ tagName, ...more }) as unknown as EventTarget;
const inRun = { view: 'run', isDialogOpen: false } as const;

describe('the table of keys', () => {
  it('gives each key one meaning in each view', () => {
    for (const { scope } of shortcutScopes) {
      const keys = names
        .filter((name) => [scope, 'everywhere'].includes(shortcuts[name].scope))
        .flatMap((name) => [...shortcuts[name].keys] as string[]);
      expect(new Set(keys).size, scope).toBe(keys.length);
    }
  });

  it('has only scopes that the help sheet shows', () => {
    const shown = new Set<string>(shortcutScopes.map(({ scope }) => scope));
    expect(names.filter((name) => !shown.has(shortcuts[name].scope))).toEqual([]);
  });

  it('is read as it is written', () => {
    for (const name of names) {
      const { scope, keys } = shortcuts[name];
      const view = scope === 'everywhere' ? 'unknown' : scope;
      for (const key of keys) expect(shortcutOf(pressed(key), { view, isDialogOpen: false })).toBe(name);
    }
  });

  it('names keys that have no letter', () => {
    expect([' ', 'ArrowDown', 'Escape', 'g', '?'].map(keyText)).toEqual(['space', '↓', 'esc', 'g', '?']);
  });
});

describe('a key', () => {
  it.each<[string, PressedKey]>([
    ['in a text field', pressed('j', { target: element('INPUT', { type: 'text' }) })],
    ['in a search field', pressed('?', { target: element('INPUT', { type: 'search' }) })],
    ['in a text area', pressed('j', { target: element('TEXTAREA') })],
    ['in a list of choices', pressed('j', { target: element('SELECT') })],
    ['in what can be edited', pressed('j', { target: element('DIV', { isContentEditable: true }) })],
    ['while a letter is composed', pressed('j', { isComposing: true })],
    ['with Ctrl, which is the browser’s', pressed('f', { ctrlKey: true })],
    ['with Meta', pressed('f', { metaKey: true })],
    ['with Alt', pressed('f', { altKey: true })],
    ['that somebody has dealt with', pressed('j', { defaultPrevented: true })],
    ['that presses a button', pressed(' ', { target: element('BUTTON') })],
    ['that follows a link', pressed('Enter', { target: element('A') })],
    ['that means nothing', pressed('Z')],
  ])('%s means nothing', (_, event) => {
    expect(shortcutOf(event, inRun)).toBeNull();
  });

  it('means something on a button that it does not press', () => {
    expect(shortcutOf(pressed('j', { target: element('BUTTON') }), inRun)).toBe('run.next');
    const box = element('INPUT', { type: 'checkbox' });
    expect(shortcutOf(pressed('j', { target: box }), inRun)).toBe('run.next');
  });

  it('means nothing behind an open dialog', () => {
    expect(shortcutOf(pressed('j'), { view: 'run', isDialogOpen: true })).toBeNull();
  });

  it('means what the view that is shown says', () => {
    expect(shortcutOf(pressed('x'), { view: 'fleet', isDialogOpen: false })).toBe('fleet.mark');
    expect(shortcutOf(pressed('x'), { view: 'compare', isDialogOpen: false })).toBe('compare.axis');
    expect(shortcutOf(pressed('x'), inRun)).toBeNull();
    expect(shortcutOf(pressed('?'), { view: 'unknown', isDialogOpen: false })).toBe('help');
  });
});

describe('what a key does', () => {
  it('ends when whoever said it has gone', () => {
    let calls = 0;
    const end = onShortcut('help', () => {
      calls += 1;
    });
    end();
    end();
    expect(calls).toBe(0);
  });
});
