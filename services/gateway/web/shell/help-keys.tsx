import { keyText, shortcutScopes, shortcutWords } from './shortcut-words.ts';
import { type ShortcutName, type ShortcutScope, shortcuts } from './shortcuts.ts';

/** All keys, by where they mean something. */
export function HelpKeys() {
  return (
    <div class="help-sheet-columns">
      {shortcutScopes.map(({ scope, title }) => (
        <section key={scope}>
          <h2>{title}</h2>
          <dl>
            {namesOf(scope).map((name) => (
              <div key={name}>
                <dt>
                  {shortcuts[name].keys.map((key) => (
                    <kbd key={key}>{keyText(key)}</kbd>
                  ))}
                </dt>
                <dd>{shortcutWords[name]}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}

function namesOf(scope: ShortcutScope): ShortcutName[] {
  const names = Object.keys(shortcutWords) as ShortcutName[];
  return names.filter((name) => shortcuts[name].scope === scope);
}
