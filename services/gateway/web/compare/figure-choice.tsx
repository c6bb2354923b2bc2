import { useCallback, useRef } from 'preact/hooks';
import { useShortcut } from '../shell/shortcuts.ts';
import { figureLabel } from '../side/figure-text.ts';
import { visibleText } from '../text/visible-text.ts';

/** As many charts as a screen shows in a size that says something. */
export const COMPARED_FIGURES_MAX = 12;

/** Which figures are compared. `isUsual`: nobody has chosen. */
export function FigureChoice(props: {
  readonly available: readonly string[];
  readonly names: readonly string[];
  readonly isUsual: boolean;
  onChoose(names: readonly string[]): void;
}) {
  const { available, names, isUsual, onChoose } = props;
  const details = useRef<HTMLDetailsElement>(null);
  useShortcut(
    'compare.figures',
    useCallback(() => {
      if (details.current === null) return;
      details.current.open = !details.current.open;
      details.current.querySelector(details.current.open ? 'input' : 'summary')?.focus();
    }, []),
  );
  const all = [...new Set([...available, ...names])];
  const toggled = (name: string) =>
    names.includes(name) ? names.filter((held) => held !== name) : [...names, name];
  return (
    <details
      class="compare-figures"
      ref={details}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.currentTarget.open = false;
        event.currentTarget.querySelector('summary')?.focus();
      }}
    >
      <summary>
        {names.length} of {all.length} figures
      </summary>
      <div class="compare-figures-names">
        {all.map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={names.includes(name)}
              disabled={names.includes(name) ? names.length === 1 : names.length >= COMPARED_FIGURES_MAX}
              onChange={() => onChoose(toggled(name))}
            />
            <bdi>{visibleText(figureLabel(name))}</bdi>
          </label>
        ))}
        {!isUsual && (
          <button type="button" onClick={() => onChoose([])}>
            The usual ones
          </button>
        )}
      </div>
    </details>
  );
}
