import type { ShortcutName, ShortcutScope } from './shortcuts.ts';

/** The scopes in the order of the help sheet. */
export const shortcutScopes: readonly { readonly scope: ShortcutScope; readonly title: string }[] = [
  { scope: 'everywhere', title: 'everywhere' },
  { scope: 'fleet', title: 'runs' },
  { scope: 'run', title: 'one run' },
  { scope: 'compare', title: 'comparison' },
];

/** What each shortcut does, in the order of the help sheet. */
export const shortcutWords: Readonly<Record<ShortcutName, string>> = {
  help: 'show the keys',
  find: 'filter the runs; in a run: go to run, event or time',
  'fleet.next': 'next run',
  'fleet.previous': 'previous run',
  'fleet.first': 'first run',
  'fleet.last': 'last run',
  'fleet.open': 'open the run',
  'fleet.mark': 'mark the run for a comparison',
  'fleet.compare': 'compare the marked runs',
  'fleet.sort': 'sort by the next column',
  'fleet.reverse': 'turn the order round',
  'fleet.release': 'let rows that wait go to their places',
  'fleet.group': 'group by cluster, task or state',
  'run.charts': 'charts and seed lives',
  'run.event': 'the selected event',
  'run.ab': 'A beside B',
  'run.raw': 'raw state of the run',
  'run.proof': 'proof that nothing is missing',
  'run.follow': 'pause the log, or follow it again',
  'run.filter': 'filter the log',
  'run.rows.raw': 'every event raw, newest first',
  'run.around': 'around the row, without the filter, and back',
  'run.next': 'next row of the log',
  'run.previous': 'previous row of the log',
  'run.expand': 'open the row: its events, or the event',
  'run.first': 'to the beginning of the run',
  'run.last': 'to the end of the log',
  'run.time': 'travel to the time of the selected row',
  'run.speed': 'while travelling: play at 1x, 10x, stop',
  'run.live': 'back to live',
  'run.copy': 'copy a link to the selected event',
  'run.other': 'from A to B, and back',
  'compare.axis': 'over rounds, steps or time',
  'compare.next': 'next run',
  'compare.previous': 'previous run',
  'compare.open': 'open the run',
  'compare.remove': 'remove the run',
  'compare.add': 'add a run',
  'compare.sort': 'sort by the next column',
  'compare.figures': 'choose the figures',
  'compare.settings': 'all settings, or those that differ',
  'compare.leave': 'look at all runs alike',
};

const keyNames: Readonly<Record<string, string>> = {
  ' ': 'space',
  ArrowDown: '↓',
  ArrowUp: '↑',
  Enter: 'enter',
  Escape: 'esc',
  Delete: 'del',
  Home: 'home',
  End: 'end',
};

/** A key as it is written on the page: `space`, `↓`, `g`. */
export function keyText(key: string): string {
  return keyNames[key] ?? key;
}
